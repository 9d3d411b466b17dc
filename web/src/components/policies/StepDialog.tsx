import { Alert, Button, Checkbox, Group, Modal, SegmentedControl, Select, Stack, Text, Textarea } from "@mantine/core";
import { useState } from "react";

import { type Guard, type StepBody, type StepTo, useStep } from "../../api/policies";
import { freshKey } from "../../lib/key";
import { stepLabel } from "../../lib/policy";
import { type CanaryScope, type Facts, told, variantsOf } from "../../lib/policyStep";
import { TTLS } from "../../lib/override";
import { Refused } from "../overrides/Refused";
import { ChangedFields } from "./ChangedFields";
import { Figure } from "./Figure";

const GUARD: Guard = { attainment: 0.01, cost: 0.15, over_s: 1800 };
/** Labels that read well with the version's number behind them. */
const NAMED = ["Promote", "Start shadow", "Roll back", "Put away"];
/** What takes something away is red. */
const DANGEROUS: StepTo[] = ["RolledBack", "Superseded"];

/** One step of a version's life: it says in numbers what will happen before it does. */
export function StepDialog({ facts, to, close }: { facts: Facts; to: StepTo; close: () => void }) {
  const { policy, version } = facts;
  const [guard, setGuard] = useState(GUARD);
  const [scope, setScope] = useState<CanaryScope>(() => firstScope(facts));
  const [reason, setReason] = useState("");
  const [key] = useState(() => freshKey());
  const step = useStep();
  const { what, more, changed } = told(facts, to, guard, scope);
  const label = stepLabel(version.stage, to);
  const fine = reason.trim() !== "" && (to !== "Canary" || scope.names.length > 0);
  const send = () => step.mutate({ policy, number: version.number, to, key, body: bodyOf(to, reason.trim(), guard, scope) }, { onSuccess: close });
  return (
    <Modal opened onClose={close} title={`${label}: ${policy.name} version ${version.number}`} size="lg" closeButtonProps={{ "aria-label": "close" }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (fine) send();
        }}
      >
        <Stack gap="sm">
          {to === "Canary" && <Scope facts={facts} scope={scope} set={setScope} />}
          {(to === "Canary" || to === "Live") && <GuardFields guard={guard} set={setGuard} />}
          <Alert color={DANGEROUS.includes(to) ? "orange" : "blue"} title="What will happen" data-testid="consequence" role="status">
            <Text size="sm" fw={600}>
              {what}
            </Text>
            {more.map((line) => (
              <Text key={line} size="sm" mt={4}>
                {line}
              </Text>
            ))}
            {changed.length > 0 && (
              <>
                <Text size="sm" mt={6} mb={2}>
                  {changed.length} {changed.length === 1 ? "field changes" : "fields change"}:
                </Text>
                <ChangedFields changed={changed} />
              </>
            )}
          </Alert>
          <Textarea label="Reason" description="Others read it in the history and the audit." required autosize maxLength={2000} value={reason} onChange={(event) => setReason(event.currentTarget.value)} />
          <Refused error={step.error} />
          <Group justify="end">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" color={DANGEROUS.includes(to) ? "red.9" : undefined} disabled={!fine} loading={step.isPending}>
              {NAMED.includes(label) ? `${label} version ${version.number}` : label}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function bodyOf(to: StepTo, reason: string, guard: Guard, scope: CanaryScope): StepBody {
  if (to === "Live") return { reason, guard };
  return to === "Canary" ? { reason, guard, [scope.by]: scope.names, ttl_s: scope.ttlS } : { reason };
}

function firstScope({ policy, version }: Facts): CanaryScope {
  const variants = variantsOf(version);
  if (variants.length > 1 || policy.namespaces.length === 1) return { by: "variants", names: variants.slice(0, 1), ttlS: 3600 };
  return { by: "namespaces", names: policy.namespaces.slice(0, 1), ttlS: 3600 };
}

function Scope({ facts, scope, set }: { facts: Facts; scope: CanaryScope; set: (scope: CanaryScope) => void }) {
  const all = scope.by === "variants" ? variantsOf(facts.version) : facts.policy.namespaces;
  return (
    <Group align="end" gap="md">
      <SegmentedControl
        aria-label="canary of"
        size="xs"
        value={scope.by}
        data={[
          { value: "variants", label: "Some variants" },
          { value: "namespaces", label: "Some namespaces" },
        ]}
        onChange={(by) => set({ ...scope, by: by as CanaryScope["by"], names: (by === "variants" ? variantsOf(facts.version) : facts.policy.namespaces).slice(0, 1) })}
      />
      <Checkbox.Group aria-label={scope.by} value={scope.names} onChange={(names) => set({ ...scope, names })}>
        <Group gap="sm">
          {all.map((name) => (
            <Checkbox key={name} size="xs" value={name} label={name} />
          ))}
        </Group>
      </Checkbox.Group>
      <Select label="For" size="xs" w={130} allowDeselect={false} value={String(scope.ttlS)} data={TTLS} onChange={(value) => set({ ...scope, ttlS: Number(value ?? scope.ttlS) })} />
    </Group>
  );
}

/** When it is taken back by itself. */
function GuardFields({ guard, set }: { guard: Guard; set: (guard: Guard) => void }) {
  const field = (label: string, name: keyof Guard, scale: number, rest: { min: number; max: number; suffix: string }) => (
    <Figure
      label={label}
      size="xs"
      w={160}
      {...rest}
      value={Number((guard[name] * scale).toFixed(4))}
      onNumber={(value) => value !== undefined && set({ ...guard, [name]: value / scale })}
    />
  );
  return (
    <Group gap="sm" role="group" aria-label="roll back by itself when">
      {field("Back if it attains less by", "attainment", 100, { min: 0, max: 100, suffix: " points" })}
      {field("Or costs more by", "cost", 100, { min: 0, max: 10_000, suffix: " %" })}
      {field("Over", "over_s", 1 / 60, { min: 1, max: 10_080, suffix: " min" })}
    </Group>
  );
}
