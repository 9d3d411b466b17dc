"""The five lines of vLLM's metrics that scale well, and a policy in YAML: for fleets that a test drives step by step."""

PAGE = """\
vllm:num_requests_running {running}
vllm:num_requests_waiting {waiting}
vllm:prompt_tokens_total {prompt}
vllm:generation_tokens_total {answer}
vllm:request_success_total {finished}
"""
HEAD = """
apiVersion: tidegate.io/v1alpha1
kind: InferenceAutoscaler
metadata: {name: chat}
spec:
  model: llama-3.1-8b
  slo: {ttftSeconds: 2, tpotSeconds: 0.1}
  variants:
"""


def policy(most: int) -> str:
    """One to so many H100."""
    return f"{HEAD}  - {{name: h100, accelerator: H100, minReplicas: 1, maxReplicas: {most}}}\n"
