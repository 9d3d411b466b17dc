import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { freshKey } from "../lib/key";
import { client, unwrap } from "./client";
import type { components } from "./schema";

export type Setting = components["schemas"]["SettingOut"];
export type SettingIn = components["schemas"]["SettingIn"];
export type Channel = components["schemas"]["ChannelOut"];
export type ChannelIn = components["schemas"]["ChannelIn"];
export type Delivery = components["schemas"]["Delivery"];
export type EventKind = components["schemas"]["NotificationEvent"];

const CHANNELS = "channels";

export function useSettings() {
  return useQuery({ queryKey: ["settings"], queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/settings", { signal })) });
}

/** On the version that was seen: where somebody was faster, the API says so. */
export function useChangeSetting() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ name, etag, body }: { name: string; etag: string; body: SettingIn }) =>
      unwrap(
        await client.PUT("/api/v1/settings/{setting}", {
          params: { path: { setting: name }, header: { "if-match": etag, "idempotency-key": freshKey() } },
          body,
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["settings"] }),
  });
}

export function useChannels() {
  return useQuery({ queryKey: [CHANNELS], queryFn: async ({ signal }) => unwrap(await client.GET("/api/v1/notification-channels", { signal })) });
}

/** Whether a message is still on its way: neither sent nor given up. */
const underWay = (deliveries: Delivery[] | undefined) => (deliveries ?? []).some(({ sent_at_s, error }) => sent_at_s === null && error === null);

/** A channel's newest messages; asked again soon while one is on its way. */
export function useDeliveries(id: string) {
  return useQuery<Delivery[]>({
    queryKey: [CHANNELS, id, "deliveries"],
    refetchInterval: (query) => (underWay(query.state.data) ? 1000 : 10_000),
    queryFn: async ({ signal }): Promise<Delivery[]> =>
      unwrap(await client.GET("/api/v1/notification-channels/{channel_id}/deliveries", { params: { path: { channel_id: id }, query: { limit: 20 } }, signal })),
  });
}

function useWrite<In, Out>(write: (asked: In) => Promise<Out>) {
  const queries = useQueryClient();
  return useMutation({ mutationFn: write, onSettled: () => queries.invalidateQueries({ queryKey: [CHANNELS] }) });
}

/** `key` belongs to one filled-in form: sent twice it makes one channel. */
export function useCreateChannel() {
  return useWrite(async ({ body, key }: { body: ChannelIn; key: string }) =>
    unwrap(await client.POST("/api/v1/notification-channels", { params: { header: { "idempotency-key": key } }, body })),
  );
}

export function useChangeChannel() {
  return useWrite(async ({ channel, body }: { channel: Channel; body: ChannelIn }) =>
    unwrap(
      await client.PUT("/api/v1/notification-channels/{channel_id}", {
        params: { path: { channel_id: channel.id }, header: { "if-match": channel.etag, "idempotency-key": freshKey() } },
        body,
      }),
    ),
  );
}

export function useDeleteChannel() {
  return useWrite(async ({ id, etag }: Channel) =>
    unwrap(
      await client.DELETE("/api/v1/notification-channels/{channel_id}", {
        params: { path: { channel_id: id }, header: { "if-match": etag, "idempotency-key": freshKey() } },
      }),
    ),
  );
}

export function useTestChannel() {
  return useWrite(async ({ id }: Channel) =>
    unwrap(await client.POST("/api/v1/notification-channels/{channel_id}/test", { params: { path: { channel_id: id }, header: { "idempotency-key": freshKey() } } })),
  );
}
