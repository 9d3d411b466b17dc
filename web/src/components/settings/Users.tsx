import { Text } from "@mantine/core";

import { useUsers } from "../../api/access";
import { Moment } from "../bits";
import { Answer } from "../states";
import { Listed } from "./Listed";

/** Everybody who has come. */
export function Users() {
  const users = useUsers(true);
  return (
    <Answer of={users}>
      {(data) => (
        <Listed
          title="Users"
          head={["Name", "From", "First seen", "Last seen", "State"]}
          testId="user-row"
          rows={data.map((user) => ({
            key: user.id,
            cells: [
              <>
                {user.email ? `${user.name} (${user.email})` : user.name}
                <Text size="xs" c="dimmed">
                  {user.id}
                </Text>
              </>,
              user.issuer,
              <Moment key="first" at={user.created_at_s} />,
              <Moment key="last" at={user.last_seen_at_s} />,
              user.disabled ? "disabled" : "may log in",
            ],
          }))}
        />
      )}
    </Answer>
  );
}
