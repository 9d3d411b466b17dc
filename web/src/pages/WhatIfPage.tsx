import { Title } from "@mantine/core";

export function WhatIfPage() {
  return <Title order={1}>WhatIf</Title>;
}
