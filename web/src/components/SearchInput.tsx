import { TextInput, type TextInputProps } from "@mantine/core";
import { useEffect, useRef, useState } from "react";

/** Milliseconds without a key before what was typed is looked for: between two keys of a fast typist. */
const PAUSE_MS = 120;

type Props = Omit<TextInputProps, "value" | "onChange"> & { value: string; onSearch: (text: string) => void };

/** A field whose words are kept elsewhere (in the address): it shows keys at once, and hands them on after a pause. */
export function SearchInput({ value, onSearch, ...rest }: Props) {
  const [typed, setTyped] = useState<string | null>(null);
  const search = useRef(onSearch);
  search.current = onSearch;
  useEffect(() => {
    if (typed === null) return;
    const timer = setTimeout(() => {
      search.current(typed);
      setTyped(null);
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  return <TextInput size="xs" {...rest} value={typed ?? value} onChange={(event) => setTyped(event.currentTarget.value)} />;
}
