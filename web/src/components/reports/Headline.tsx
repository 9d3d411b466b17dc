import { Paper, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";

import type { ReportRow } from "../../api/reports";
import { baselinesOf } from "../../lib/baseline";
import { dollars, number, share, whole } from "../../lib/format";

/** What a manager asks first, in large. */
export function Headline({ total }: { total: ReportRow }) {
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, lg: 6 }} spacing="sm" component="section" aria-label="In all">
      <Figure label="Cost" under={`${number(total.gpu_hours, 0)} GPU-hours`}>
        {large(total.cost_usd)}
      </Figure>
      <Savings total={total} />
      <Figure label="Met the SLO" under="of the requests">
        {share(total.attainment, 2)}
      </Figure>
      <Figure label="Goodput" under="requests a second within the SLO">
        {number(total.goodput_rps)}
      </Figure>
      <Figure label="A million tokens" under={`${compact(total.tokens)} tokens in all`}>
        {dollars(total.usd_per_million_tokens)}
      </Figure>
      <Figure label="Requests" under={total.requests > 0 ? `${dollars((Number(total.cost_usd) / total.requests) * 1000)} per thousand` : ""}>
        {total.requests < 1e6 ? whole(total.requests) : compact(total.requests)}
      </Figure>
    </SimpleGrid>
  );
}

function Savings({ total }: { total: ReportRow }) {
  if (total.savings_usd === null || total.baseline_usd === null) {
    return (
      <Figure label="Saved" under="nothing to compare with yet">
        {dollars(null)}
      </Figure>
    );
  }
  const saved = Number(total.savings_usd);
  const part = Number(total.baseline_usd) > 0 ? Math.abs(saved) / Number(total.baseline_usd) : null;
  const targets = baselinesOf(total).map(({ target }) => target);
  const compared = targets.length === 1 ? targets[0] : `${targets.length} targets`;
  return (
    <Figure label={saved < 0 ? "Spent more than the baseline" : "Saved"} under={`${share(part)} of the ${large(total.baseline_usd)} that ${compared} would have cost`}>
      {large(String(Math.abs(saved)))}
    </Figure>
  );
}

/** From a thousand on nobody asks for cents. */
const large = (text: string) => (Number(text) < 1000 ? dollars(text) : `$${whole(Number(text))}`);

const compact = (value: number) => new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(value);

function Figure({ label, under, children }: { label: string; under: string; children: ReactNode }) {
  return (
    <Paper withBorder p="md" data-testid="figure">
      <Text size="xs" c="dimmed">
        {label}
      </Text>
      <Text fz={26} fw={650} lh={1.25} style={{ fontVariantNumeric: "tabular-nums" }}>
        {children}
      </Text>
      <Text size="xs" c="dimmed">
        {under}
      </Text>
    </Paper>
  );
}
