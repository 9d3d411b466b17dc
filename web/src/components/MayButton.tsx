import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import type { ReactNode } from "react";

type Props = ButtonProps & { may: boolean; needs: string; onClick: () => void; children: ReactNode; "aria-label"?: string };

/** A button that says why it does nothing, to the mouse and to the keyboard, where one's role does not suffice. */
export function MayButton({ may, needs, onClick, children, ...rest }: Props) {
  const words = `This needs the role ${needs}`;
  return (
    <Tooltip label={words} disabled={may} events={{ hover: true, focus: true, touch: true }}>
      <Button
        variant="default"
        {...rest}
        data-disabled={may ? undefined : true}
        aria-disabled={may ? undefined : true}
        title={may ? undefined : words}
        onClick={() => may && onClick()}
      >
        {children}
      </Button>
    </Tooltip>
  );
}
