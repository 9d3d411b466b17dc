import { Box, Group, Paper, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";

import type { ReportRow } from "../../api/reports";
import { dollars, share } from "../../lib/format";
import { ticks } from "../../lib/pareto";

const HEIGHT = 200;
const PAD = { left: 56, right: 8, top: 10, bottom: 24 };

/** A bar for each day's dollars; a light one behind it is what the baseline would have cost. */
export function PerDay({ days }: { days: ReportRow[] }) {
  const { ref, width } = useElementSize();
  const compared = days.some((day) => day.savings_usd !== null);
  return (
    <Paper withBorder p="sm" component="section" aria-label="Cost a day" miw={0}>
      <Group justify="space-between" gap="xs" align="baseline">
        <Text fw={600} size="sm" component="h2" m={0}>
          Cost a day
        </Text>
        <Text size="xs" c="dimmed">
          Days of UTC.{compared ? " Dashed: with the baseline instead." : ""}
        </Text>
      </Group>
      <Box ref={ref} mih={HEIGHT}>
        {width > 0 && days.length > 0 && <Bars days={days} width={width} />}
      </Box>
    </Paper>
  );
}

/** What a day would have cost, were its compared targets under their baselines. */
const instead = (day: ReportRow) => (day.savings_usd === null ? null : Number(day.cost_usd) + Number(day.savings_usd));

function Bars({ days, width }: { days: ReportRow[]; width: number }) {
  const most = Math.max(0.01, ...days.map((day) => Math.max(Number(day.cost_usd), instead(day) ?? 0)));
  const inner = { width: width - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
  const y = (usd: number) => PAD.top + (1 - usd / (most * 1.05)) * inner.height;
  const slot = inner.width / days.length;
  const bar = Math.min(48, slot * 0.7);
  const x = (place: number) => PAD.left + slot * (place + 0.5);
  // As many dates as fit beside each other.
  const every = Math.ceil(52 / slot);
  return (
    <svg width={width} height={HEIGHT} role="img" aria-label={told(days)} className="bars" style={{ display: "block" }}>
      {ticks([0, most * 1.05], 4).map((usd) => (
        <g key={usd}>
          <line className="grid" x1={PAD.left} x2={width - PAD.right} y1={y(usd)} y2={y(usd)} />
          <text x={PAD.left - 6} y={y(usd) + 4} textAnchor="end">
            {most < 5 ? dollars(usd) : dollars(usd).replace(".00", "")}
          </text>
        </g>
      ))}
      {days.map((day, i) => {
        const other = instead(day);
        return (
          <g key={day.key} data-testid="day-bar">
            <rect className="bar" x={x(i) - bar / 2} width={bar} y={y(Number(day.cost_usd))} height={Math.max(0, y(0) - y(Number(day.cost_usd)))} />
            {other !== null && <line className="other" x1={x(i) - slot * 0.45} x2={x(i) + slot * 0.45} y1={y(other)} y2={y(other)} />}
            {i % every === 0 && (
              <text x={x(i)} y={HEIGHT - 8} textAnchor="middle">
                {day.key.slice(5)}
              </text>
            )}
            <title>{words(day)}</title>
          </g>
        );
      })}
    </svg>
  );
}

const words = (day: ReportRow) =>
  `${day.key}: ${dollars(day.cost_usd)}, ${share(day.attainment, 2)} met the SLO${day.savings_usd === null ? "" : `, ${dollars(instead(day))} with the baseline`}`;

const told = (days: ReportRow[]) => days.map(words).join("; ");
