export const whatIfSearch = (_given: Record<string, unknown>) => ({});
export const comparisonSearch = (_given: Record<string, unknown>) => ({});
