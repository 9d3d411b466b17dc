import { Button, Checkbox, Group, Modal, Select, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";

import { type Channel, type EventKind, useChangeChannel, useCreateChannel } from "../../api/settings";
import { channelBody, EVENTS, urlFault, type Way, WAYS, wayOf } from "../../lib/channels";
import { freshKey } from "../../lib/key";
import { Refused } from "../overrides/Refused";

/** A new channel, or another one in the place of one. Of its URL nothing is shown again: it is given whole. */
export function ChannelDialog({ channel, close }: { channel?: Channel; close: () => void }) {
  const [form, setForm] = useState({
    name: channel?.name ?? "",
    way: channel ? wayOf(channel.url) : ("slack" as Way),
    url: "",
    events: channel?.events ?? (["StockOut", "Rollback", "MetricFault"] as EventKind[]),
    namespaces: channel?.namespaces?.join(", ") ?? "",
    enabled: channel?.enabled ?? true,
  });
  const change = (what: Partial<typeof form>) => setForm({ ...form, ...what });
  // One form is one channel, however often it is sent.
  const [key] = useState(() => freshKey());
  const create = useCreateChannel();
  const edit = useChangeChannel();
  const fault = urlFault(form.way, form.url);
  const fine = form.name.trim() !== "" && form.url.trim() !== "" && fault === null && form.events.length > 0;
  const send = () => (channel ? edit.mutate({ channel, body: channelBody(form) }, { onSuccess: close }) : create.mutate({ body: channelBody(form), key }, { onSuccess: close }));
  const way = WAYS[form.way];
  return (
    <Modal opened onClose={close} title={channel ? `Edit ${channel.name}` : "New channel"} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) send();
        }}
      >
        <Stack gap="sm">
          <Group grow align="start">
            <TextInput label="Name" placeholder="on-call" required maxLength={255} value={form.name} onChange={(e) => change({ name: e.currentTarget.value })} />
            <Select
              label="By"
              allowDeselect={false}
              value={form.way}
              data={Object.entries(WAYS).map(([value, { label }]) => ({ value, label }))}
              onChange={(chosen) => change({ way: (chosen as Way | null) ?? form.way })}
            />
          </Group>
          <TextInput
            label={way.field}
            description={channel ? `It is secret, and is not shown again (${channel.url}): give it whole.` : "It is kept secret, and not shown again."}
            placeholder={way.example}
            required
            autoComplete="off"
            value={form.url}
            error={fault}
            onChange={(e) => change({ url: e.currentTarget.value })}
          />
          <Checkbox.Group label="Is told of" value={form.events} onChange={(events) => change({ events: events as EventKind[] })}>
            <Stack gap={6} mt={4}>
              {EVENTS.map(({ value, label, hint }) => (
                <Checkbox key={value} size="sm" value={value} label={`${label}: ${hint}`} />
              ))}
            </Stack>
          </Checkbox.Group>
          <TextInput label="Of the namespaces" placeholder="every namespace" value={form.namespaces} onChange={(e) => change({ namespaces: e.currentTarget.value })} />
          <Switch label={form.enabled ? "On: it is told from now on" : "Off: it is told nothing, and stays in the list"} checked={form.enabled} onChange={(e) => change({ enabled: e.currentTarget.checked })} />
          <Text size="xs" c="dimmed">
            The same event of the same subject is told once an hour, a budget once a day.
          </Text>
          <Refused error={create.error ?? edit.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!fine} loading={create.isPending || edit.isPending}>
              {channel ? "Save" : "Make the channel"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
