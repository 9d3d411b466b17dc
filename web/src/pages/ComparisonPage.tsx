import { Title } from "@mantine/core";

export function ComparisonPage() {
  return <Title order={1}>Comparison</Title>;
}
