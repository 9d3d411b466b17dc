import type { Me } from "../api/client";
import type { Channel, Delivery, Setting } from "../api/settings";
import type { Accelerator, Fit } from "../lib/catalog";
import type { Freeze } from "../lib/freeze";

export const me = (role: "Viewer" | "Operator" | "Admin", namespace: string | null = null) => ({ name: "ada", grants: [{ role, namespace }] }) as unknown as Me;

export const accelerator = (change: Partial<Accelerator> = {}): Accelerator => ({
  name: "H100",
  memory_bytes: 80 * 2 ** 30,
  bandwidth_bytes_per_s: 3.35e12,
  bf16_flops_per_s: 989e12,
  link_bytes_per_s: 25e9,
  peer_bytes_per_s: 450e9,
  usd_per_hour: "4",
  usd_per_hour_source: "Catalog",
  spot_usd_per_hour: "1.9",
  spot_usd_per_hour_source: "Catalog",
  catalog_usd_per_hour: "4",
  catalog_spot_usd_per_hour: "1.9",
  override: null,
  etag: '"0"',
  ...change,
});

export const fit = (change: Partial<Fit> = {}): Fit => ({
  accelerator: "H100",
  gpus: 1,
  fits: true,
  why: null,
  caution: null,
  weight_bytes: 16.06e9,
  kv_bytes_per_token: 131_072,
  kv_tokens: 450_000,
  sequences: 256,
  ttft_s: 0.04,
  tpot_s: 0.05,
  goodput_rps: 14.9,
  bound: "Tpot",
  usd_per_hour: "4",
  usd_per_million_output_tokens: "0.37",
  usd_per_million_tokens: "0.062",
  cheapest: false,
  ...change,
});

export const freeze = (change: Partial<Freeze> = {}): Freeze => ({
  id: "f1",
  namespace: "default",
  target: "chat",
  direction: "Down",
  actor: "ada",
  reason: "launch",
  created_at_s: 1_767_600_000,
  starts_at_s: 1_767_600_000,
  ends_at_s: 1_767_607_200,
  ended_at_s: null,
  ended_by: null,
  ticks: "/api/v1/freezes/f1/ticks",
  state: "Active",
  etag: '"1"',
  ...change,
});

export const setting = (change: Partial<Setting> = {}): Setting => ({
  name: "approval_required",
  what: "Whether a policy goes Live only when a second person has approved it.",
  type: "boolean",
  allowed: "true or false",
  default: false,
  value: false,
  changed_at_s: null,
  changed_by: null,
  etag: '"0"',
  ...change,
});

export const channel = (change: Partial<Channel> = {}): Channel => ({
  id: "c1",
  name: "on-call",
  url: "slack://***",
  events: ["StockOut", "Rollback"],
  namespaces: null,
  enabled: true,
  created_at_s: 1_767_600_000,
  created_by: "ada",
  etag: '"1"',
  ...change,
});

export const delivery = (change: Partial<Delivery> = {}): Delivery => ({
  id: 1,
  event: "Test",
  subject: "x",
  message: "This is a test of the channel on-call, asked for by ada.",
  at_s: 1_767_600_000,
  attempts: 0,
  sent_at_s: null,
  error: null,
  ...change,
});
