export const policiesSearch = (_given: Record<string, unknown>) => ({});
export const policySearch = (_given: Record<string, unknown>) => ({});
