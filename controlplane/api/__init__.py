"""The admin REST API, the web UI's files, and Tidegate's own metrics. It changes policy, never replicas."""
