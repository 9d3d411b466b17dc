import { Stack, Title } from "@mantine/core";

import { useMay } from "../api/access";
import { Grants } from "../components/settings/Grants";
import { Tokens } from "../components/settings/Tokens";
import { Users } from "../components/settings/Users";

export function SettingsPage() {
  const admin = useMay("Admin", null);
  return (
    <Stack gap="xl">
      <Title order={1} size="h3">
        Settings
      </Title>
      <Tokens />
      {admin && <Users />}
      {admin && <Grants />}
    </Stack>
  );
}
