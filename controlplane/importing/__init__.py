"""Another autoscaler's object -> an equivalent `InferenceAutoscaler`, and what it cannot carry over, in words.

Pure: reads documents that were fetched already; knows no cluster and no files.
"""
