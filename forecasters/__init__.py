"""Series in, quantile forecast out.

Knows time and numbers only. No Kubernetes, SQL, HTTP, replicas or clocks belong here: `now` and the bins are arguments.
"""
