const R = 6;

/** Shapes that are told apart without colour: diamond, circle, square, triangles, cross, star. */
const PATHS = [
  `M0,${-R - 1}L${R + 1},0L0,${R + 1}L${-R - 1},0Z`,
  `M${R},0A${R},${R} 0 1 1 ${-R},0A${R},${R} 0 1 1 ${R},0Z`,
  `M${-R + 1},${-R + 1}H${R - 1}V${R - 1}H${-R + 1}Z`,
  `M0,${-R}L${R},${R - 1}H${-R}Z`,
  `M0,${R}L${R},${-R + 1}H${-R}Z`,
  `M${-R},-2H-2V${-R}H2V-2H${R}V2H2V${R}H-2V2H${-R}Z`,
  `M${-R},${-R + 2}L0,-1L${R},${-R + 2}V${R - 2}L0,1L${-R},${R - 2}Z`,
];

type Props = { place: number; colour: string; x?: number; y?: number };

export function Shape({ place, colour, x = 0, y = 0 }: Props) {
  return <path d={PATHS[place % PATHS.length]} fill={colour} stroke="var(--mantine-color-body)" strokeWidth={1} transform={`translate(${x},${y})`} />;
}

/** The same mark beside a name in a table. */
export function ShapeMark({ place, colour }: Pick<Props, "place" | "colour">) {
  return (
    <svg width={16} height={16} viewBox="-8 -8 16 16" aria-hidden style={{ flex: "none" }}>
      <Shape place={place} colour={colour} />
    </svg>
  );
}
