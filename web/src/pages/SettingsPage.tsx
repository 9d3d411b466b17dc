import { Stack, Title } from "@mantine/core";

import { useMay } from "../api/access";
import { Channels } from "../components/settings/Channels";
import { General } from "../components/settings/General";
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
      <General may={admin} />
      <Channels may={admin} />
      <Tokens />
      {admin && <Users />}
      {admin && <Grants />}
    </Stack>
  );
}
