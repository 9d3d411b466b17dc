export const reportsSearch = (_given: Record<string, unknown>) => ({});
