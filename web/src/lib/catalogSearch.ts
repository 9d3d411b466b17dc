export const catalogSearch = (_given: Record<string, unknown>) => ({});
