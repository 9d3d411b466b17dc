import type { ReactNode } from "react";

import { DataTable } from "../DataTable";
import { Section } from "./Section";

type Props = { title: string; action?: ReactNode; head: string[]; rows: { key: string; cells: ReactNode[] }[]; testId: string };

/** A titled table with what one may do on its right. */
export function Listed({ title, action, head, rows, testId }: Props) {
  return (
    <Section title={title} action={action}>
      <DataTable label={title} columns={head.map((cell, i) => ({ key: cell || `actions ${i}`, head: cell }))} rows={rows} minWidth={620} testId={testId} />
    </Section>
  );
}
