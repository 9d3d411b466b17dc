import { Button, Checkbox, Group, Select, Text } from "@mantine/core";

import { type FleetSearch, GROUPS, MODES, SORTS } from "../../lib/fleet";
import { VERDICTS } from "../../lib/search";
import { SearchInput } from "../SearchInput";

type Props = { search: FleetSearch; set: (change: Partial<FleetSearch>) => void; shown: number; all: number };

const SORT_WORDS = { faults: "faults first", name: "name", load: "most load first", attainment: "lowest SLO first", cost: "dearest first" };

/** Which targets, in which order; all of it is in the URL. */
export function Filters({ search, set, shown, all }: Props) {
  const filtered = search.q !== undefined || search.mode !== undefined || search.verdict !== undefined || search.faults === true;
  return (
    <Group gap="xs" align="end" role="search" aria-label="targets">
      <SearchInput
        aria-label="search targets"
        placeholder="Name, model, GPU, reason"
        w={{ base: "100%", xs: 220 }}
        value={search.q ?? ""}
        onSearch={(q) => set({ q: q || undefined })}
      />
      <Choice label="mode" value={search.mode} options={MODES} onChange={(mode) => set({ mode })} />
      <Choice label="verdict" value={search.verdict} options={VERDICTS} onChange={(verdict) => set({ verdict })} />
      <Select
        aria-label="sort"
        size="xs"
        w={140}
        allowDeselect={false}
        value={search.sort}
        data={SORTS.map((value) => ({ value, label: SORT_WORDS[value] }))}
        onChange={(value) => set({ sort: value as FleetSearch["sort"] })}
      />
      <Select
        aria-label="group"
        size="xs"
        w={140}
        allowDeselect={false}
        value={search.group}
        data={GROUPS.map((value) => ({ value, label: value === "none" ? "no groups" : `by ${value}` }))}
        onChange={(value) => set({ group: value as FleetSearch["group"] })}
      />
      <Checkbox
        size="xs"
        pb={6}
        label="with faults only"
        checked={search.faults === true}
        onChange={(event) => set({ faults: event.currentTarget.checked ? true : undefined })}
      />
      {filtered && (
        <>
          <Text size="xs" c="dimmed" pb={6} role="status">
            {shown} of {all}
          </Text>
          <Button size="xs" variant="subtle" onClick={() => set({ q: undefined, mode: undefined, verdict: undefined, faults: undefined })}>
            Show all
          </Button>
        </>
      )}
    </Group>
  );
}

type ChoiceProps<T extends string> = { label: string; value: T | undefined; options: T[]; onChange: (value: T | undefined) => void };

function Choice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <Select
      aria-label={label}
      size="xs"
      w={112}
      clearable
      clearButtonProps={{ "aria-label": `any ${label}` }}
      placeholder={`any ${label}`}
      value={value ?? null}
      data={options}
      onChange={(chosen) => onChange((chosen as T | null) ?? undefined)}
    />
  );
}
