import { Stack, Tabs, Title } from "@mantine/core";
import { useNavigate, useSearch } from "@tanstack/react-router";

import { AcceleratorsTab } from "../components/catalog/AcceleratorsTab";
import { FitTab } from "../components/catalog/FitTab";
import { ProfilesTab } from "../components/catalog/ProfilesTab";
import { VariantsTab } from "../components/catalog/VariantsTab";
import { type CatalogSearch, catalogSearch, TABS } from "../lib/catalogSearch";

const WORDS = { fit: "Model fit", accelerators: "Accelerators", variants: "Prices of variants", profiles: "Profiles" };

export function CatalogPage() {
  const raw: Record<string, unknown> = useSearch({ strict: false });
  const search = catalogSearch(raw);
  const navigate = useNavigate();
  const set = (change: Partial<CatalogSearch>) => void navigate({ to: "/catalog", search: { ...search, ...change }, replace: true } as never);
  return (
    <Stack>
      <Title order={1} size="h3">
        Catalog
      </Title>
      <Tabs value={search.tab} onChange={(tab) => set({ tab: tab as CatalogSearch["tab"] })} keepMounted={false}>
        <Tabs.List mb="md">
          {TABS.map((tab) => (
            <Tabs.Tab key={tab} value={tab}>
              {WORDS[tab]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="fit">
          <FitTab search={search} set={set} />
        </Tabs.Panel>
        <Tabs.Panel value="accelerators">
          <AcceleratorsTab />
        </Tabs.Panel>
        <Tabs.Panel value="variants">
          <VariantsTab search={search} set={set} />
        </Tabs.Panel>
        <Tabs.Panel value="profiles">
          <ProfilesTab />
        </Tabs.Panel>
      </Tabs>
    </Stack>
  );
}
