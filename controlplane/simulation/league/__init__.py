"""The league: Tidegate and its peers on the same traces, scenarios and cold starts, beside a clairvoyant oracle."""
