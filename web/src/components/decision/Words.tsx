import { Paper, Text } from "@mantine/core";

const WORDS: [string, string][] = [
  ["Target", "what is scaled: one model that is served, by one or more variants"],
  ["Variant", "replicas of one kind: a GPU type, on demand or spot"],
  ["TTFT", "time to the first token: how long a user waits until an answer begins"],
  ["TPOT", "time per output token: how fast the answer is then written"],
  ["SLO", "the limits of TTFT and TPOT, and the share of requests that must keep both"],
  ["Cold start", "from the wish for a replica until it serves; so far ahead must be looked"],
  ["KV cache", "the engine's memory of running requests; when it is full, new ones wait"],
  ["p90, 90 % quantile", "nine times of ten it stays below this"],
];

/** For those who never read the documentation. */
export function Words() {
  return (
    <Paper withBorder p="md">
      <details>
        <summary>What the words mean</summary>
        <dl className="words">
          {WORDS.map(([word, meaning]) => (
            <div key={word}>
              <dt>{word}</dt>
              <Text component="dd" size="sm" m={0}>
                {meaning}
              </Text>
            </div>
          ))}
        </dl>
      </details>
    </Paper>
  );
}
