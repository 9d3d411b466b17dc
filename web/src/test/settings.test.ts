import { describe, expect, it } from "vitest";

import { channelBody, fateOf, toldWords, urlFault, urlOf, wayOf } from "../lib/channels";
import { changeWords, linesOf, valueOf, valueWords } from "../lib/setting";
import { channel, delivery, setting } from "./governanceFixtures";

describe("a channel", () => {
  it("takes the URL that Slack shows", () => {
    expect(urlOf("slack", " https://hooks.slack.com/services/T1/B2/c3 ")).toBe("slack://T1/B2/c3");
    expect(urlFault("slack", "https://hooks.slack.com/services/T1/B2/c3")).toBeNull();
    expect(urlFault("slack", "https://example.com")).toMatch(/hooks\.slack\.com/);
    expect(urlFault("email", "mailtos://a:b@c.d")).toBeNull();
    expect(urlFault("webhook", "ftp://x")).toBe("It begins with http:// or https:// or json:// or jsons://");
    expect([wayOf("slack://***"), wayOf("mailtos://c.d/***"), wayOf("https://x/***"), wayOf("pagerduty://***")]).toEqual(["slack", "email", "webhook", "other"]);
  });

  it("is of some namespaces or of all", () => {
    const form = { name: " on-call ", way: "webhook" as const, url: "https://x.y/z", events: ["Budget" as const], namespaces: "a, b", enabled: true };
    expect(channelBody(form)).toEqual({ name: "on-call", url: "https://x.y/z", events: ["Budget"], namespaces: ["a", "b"], enabled: true });
    expect(channelBody({ ...form, namespaces: " " }).namespaces).toBeNull();
    expect(toldWords(channel())).toBe("Stock-out, Rollback · every namespace");
  });

  it("tells what became of a message", () => {
    expect(fateOf(delivery()).word).toBe("on its way");
    expect(fateOf(delivery({ sent_at_s: 1 }))).toEqual({ fine: true, word: "sent" });
    expect(fateOf(delivery({ error: "refused", attempts: 1 })).word).toBe("failed 1 time, and is tried again: refused");
    expect(fateOf(delivery({ error: "refused", attempts: 6 })).word).toBe("given up after 6 times: refused");
  });
});

describe("a setting", () => {
  const budgets = setting({ name: "budgets", type: "object", value: { default: "120.50", "*": "900" } });
  const baseline = setting({ name: "report_baseline", type: "object", value: { "default/chat": { h100: 8, l40s: 1 } } });

  it("is shown in words", () => {
    expect([valueWords(setting()), valueWords(setting({ value: 90 })), valueWords(budgets), valueWords(baseline), valueWords({ name: "budgets", value: {} })]).toEqual([
      "not required",
      "90 days",
      "default $120.50, everything $900",
      "default/chat: 8 h100 + 1 l40s",
      "none",
    ]);
  });

  it("goes through its lines and back unchanged", () => {
    expect(valueOf("budgets", linesOf(budgets))).toEqual(budgets.value);
    expect(valueOf("report_baseline", linesOf(baseline))).toEqual(baseline.value);
    expect(valueOf("budgets", [{ of: "", a: "1", b: "" }])).toEqual({});
  });

  it("says what its change brings", () => {
    expect(changeWords(setting(), false)).toBe("Nothing changes.");
    expect(changeWords(setting(), true)).toMatch(/^From now on a policy goes live only/);
    expect(changeWords(setting({ name: "retention_ticks_days", value: 90 }), 30)).toBe("Decisions of the oldest 60 of 90 days are dropped at the next sweep: of older ones their sums remain. This cannot be undone.");
    expect(changeWords(budgets, { default: "10" })).toBe("1 entry instead of 2, from now on: default $10.");
  });
});
