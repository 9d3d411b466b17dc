import { createTheme, type CSSVariablesResolver } from "@mantine/core";

export const theme = createTheme({
  primaryColor: "blue",
  primaryShade: 8,
  defaultRadius: "sm",
  fontFamily: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
});

const TINTED = ["blue", "gray", "orange", "teal", "grape", "red", "yellow"];
/** On a tint the page's own ink is read best; the sign in a badge and its tint tell the kind. */
const INK = Object.fromEntries(TINTED.map((colour) => [`--mantine-color-${colour}-light-color`, "var(--mantine-color-text)"]));

/** Mantine's greys and blues are below WCAG's 4.5 to 1 on their grounds. */
export const readable: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    ...INK,
    "--mantine-color-dimmed": "var(--mantine-color-gray-7)",
    "--mantine-color-placeholder": "var(--mantine-color-gray-7)",
    "--mantine-color-anchor": "var(--mantine-color-blue-8)",
  },
  dark: {
    ...INK,
    "--mantine-color-dimmed": "var(--mantine-color-dark-1)",
    "--mantine-color-placeholder": "var(--mantine-color-dark-1)",
    "--mantine-color-anchor": "var(--mantine-color-blue-3)",
  },
});

/** Okabe & Ito's colours: told apart with any colour vision, in both schemes. */
export const LINES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"];
export const LINES_DARK = ["#56b4e9", "#ff8c42", "#2fc79a", "#e6a1c9", "#f2c14e", "#9bd3f5", "#b79ad6", "#b0b0b0"];

export const VERDICT_COLOURS = { up: "orange", down: "teal", hold: "gray", abstain: "grape" } as const;
export const VERDICT_SIGNS = { up: "▲", down: "▼", hold: "■", abstain: "○" } as const;
