import { createTheme } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  defaultRadius: "sm",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
});

/** Okabe & Ito's colours: told apart with any colour vision, in both schemes. */
export const LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"];
export const LINES_DARK = ["#56b4e9", "#ff8c42", "#2fc79a", "#e6a1c9", "#f2c14e", "#9bd3f5", "#b79ad6", "#b0b0b0"];

export const VERDICT_COLOURS = { up: "orange", down: "teal", hold: "gray", abstain: "grape" } as const;
export const VERDICT_SIGNS = { up: "▲", down: "▼", hold: "■", abstain: "○" } as const;
