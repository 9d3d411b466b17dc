/** Other people's autoscalers, as the API names them, in the order in which people ask for them. */
export type Rival = { id: string; label: string; hint: string; more?: true };

export const RIVALS: Rival[] = [
  { id: "hpa-queue", label: "HPA on the queue", hint: "Kubernetes' HPA, 5 waiting requests a pod" },
  { id: "hpa-concurrency", label: "HPA on concurrency", hint: "Kubernetes' HPA, 16 requests in a pod" },
  { id: "hpa-kv", label: "HPA on the KV cache", hint: "Kubernetes' HPA, 80 % of the KV cache" },
  { id: "kpa", label: "Knative KPA", hint: "70 of 100 requests in a pod, panics at twice that" },
  { id: "wva-v1", label: "llm-d WVA 0.8", hint: "KV cache and queue of every replica" },
  { id: "wva-v2", label: "llm-d WVA 0.9", hint: "the same, and token means" },
  { id: "dynamo-classic", label: "Dynamo planner, classic", hint: "NVIDIA Dynamo 0.4 to 0.9, on a measured profile" },
  { id: "dynamo-load", label: "Dynamo planner 1.6", hint: "by load and by throughput", more: true },
  { id: "keda-slo", label: "KEDA on the SLO", hint: "llm-d's guide: P90 of TTFT and TPOT", more: true },
  { id: "aibrix-kpa", label: "AIBrix KPA", hint: "KV cache, stable and panic window", more: true },
  { id: "aibrix-apa", label: "AIBrix APA", hint: "KV cache, with tolerances", more: true },
  { id: "ray-serve", label: "Ray Serve", hint: "2 requests a replica", more: true },
];

/** What people call a policy that was replayed; `version` is the name of a policy version. */
export function policyWords(policy: string, version?: string | null): string {
  if (policy === "live") return "Live policy";
  if (policy === "version") return version ?? "A policy version";
  if (policy.startsWith("static:")) return `${policy.slice("static:".length)} replicas, always`;
  return RIVALS.find(({ id }) => id === policy)?.label ?? policy;
}
