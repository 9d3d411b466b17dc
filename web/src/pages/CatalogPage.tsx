import { Title } from "@mantine/core";

export function CatalogPage() {
  return <Title order={1}>Catalog</Title>;
}
