import { NumberInput, type NumberInputProps } from "@mantine/core";
import { useEffect, useState } from "react";

type Props = Omit<NumberInputProps, "value" | "onChange"> & { value: number | undefined; onNumber: (value: number | undefined) => void };

/** A number that may be half typed: what is no number yet is kept here and told nobody. */
export function Figure({ value, onNumber, ...rest }: Props) {
  const [raw, setRaw] = useState<number | string>(value ?? "");
  useEffect(() => {
    setRaw((now) => (now !== "" && Number(now) === value ? now : (value ?? "")));
  }, [value]);
  return (
    <NumberInput
      {...rest}
      value={raw}
      onChange={(typed) => {
        setRaw(typed);
        if (typed === "") onNumber(undefined);
        else if (!Number.isNaN(Number(typed))) onNumber(Number(typed));
      }}
    />
  );
}
