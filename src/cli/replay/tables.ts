import { numberText, shortName, type LogSpending, type PolicySummary, type ReplaySummary } from '../../evaluation/index.js'
import { printable, table, wrap } from '../table.js'

const percent = (value: number, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)} %` : '?')
const bare = (value: number) => (Number.isFinite(value) ? (100 * value).toFixed(0) : '?')
const points = (value: number) => (Number.isFinite(value) ? `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)}` : '?')
const dollars = (value: number | null) => {
  if (value === null || !Number.isFinite(value)) return '?'
  return `$${value >= 1e15 ? numberText(value) : value >= 1000 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3)}`
}
/** What costs ten times as much and more is told as that: its per cents would be too long for a line, and hard to read. */
const savedText = ({ value, low, high }: PolicySummary['saved']) =>
  value <= -9 ? `costs ${numberText(Number((1 - value).toPrecision(3)))}×` : `${percent(value, 0)} [${bare(low)}, ${bare(high)}]`

/** Single models first, then what only compares, then what decides. */
function rank(name: string): number {
  return name.startsWith('always ') ? 0 : name === 'random arm' || name === 'oracle' ? 1 : 2
}

/** What every policy would have cost, as text. */
export function replayText(
  { policies, requests, warmUp, leftOut, reference, margin, incomplete, otherOutcomes }: ReplaySummary,
  width: number,
): string {
  const rows = [...policies]
    .sort((a, b) => rank(a.name) - rank(b.name) || a.usdPerThousand - b.usdPerThousand)
    .map(({ name, quality, usdPerThousand, difference, saved, verdict }) => [
      shortName(name),
      percent(quality),
      `${points(difference.value)} [${points(difference.low)}, ${points(difference.high)}]`,
      dollars(usdPerThousand),
      savedText(saved),
      verdict,
    ])
  const lines = table(
    [
      { title: 'POLICY', cut: 'middle', least: 12 },
      { title: 'QUALITY', align: 'right' },
      { title: 'POINTS [95 %]', align: 'right' },
      { title: '$/1000', align: 'right' },
      { title: 'SAVED [95 %]', align: 'right' },
      { title: `LOSS ≤ ${percent(margin, 0)}` },
    ],
    rows,
    width,
  )
  const notes = [
    'A model by its name: that model always. The oracle knows all outcomes; nothing can beat it.',
    `${requests} requests decided${warmUp > 0 ? `, after ${warmUp} that were only learned from` : ''}. Against always "${printable(reference)}".`,
    ...(incomplete > 0 ? [`${incomplete} requests have no outcome of "${printable(reference)}" and weren't counted.`] : []),
    ...(otherOutcomes > 0 ? [`${otherOutcomes} outcomes of models that the first 1,000 rows don't have were passed over.`] : []),
    ...policies.flatMap(({ name, unknown }) =>
      unknown > 0 ? [`${printable(name)}: of ${unknown} choices the log doesn't say what would have come.`] : [],
    ),
    ...(leftOut > 0 ? [`${leftOut} rows of the log were wrong and left out.`] : []),
  ]
  return `${lines}\n${notes.map((note) => wrap(note, width).join('\n')).join('\n')}\n`
}

/** What a log of one model a request did cost, and what can't be known from it, as text. `log` is the file as the user named it. */
export function spendingText(
  { models, candidates, requests, leftOut, withContent, prices }: LogSpending,
  log: string,
  title: string,
  width: number,
): string {
  const did = table(
    [
      { title: 'MODEL', cut: 'middle', least: 16 },
      { title: 'REQUESTS', align: 'right' },
      { title: 'COST', align: 'right' },
      { title: '$/1000', align: 'right' },
      { title: 'TOKENS IN', align: 'right' },
      { title: 'OUT', align: 'right' },
      { title: 'SECONDS', align: 'right' },
      { title: 'QUALITY', align: 'right' },
    ],
    models.map(({ model, requests: asked, usd, unpriced, estimated, inputTokens, outputTokens, seconds, quality }) => [
      model,
      asked.toLocaleString('en-US'),
      unpriced === asked ? '?' : `${estimated > 0 ? '~' : ''}${dollars(usd)}`,
      unpriced === asked ? '?' : dollars((1000 * usd) / (asked - unpriced)),
      inputTokens.toLocaleString('en-US'),
      outputTokens.toLocaleString('en-US'),
      seconds === null ? '?' : seconds.toPrecision(3),
      quality === null ? 'unknown' : percent(quality.mean),
    ]),
    width,
  )
  const would = table(
    [
      { title: 'MODEL', cut: 'middle', least: 16 },
      { title: 'SAME TOKENS, LIST PRICE', align: 'right' },
      { title: 'SAVED', align: 'right' },
      { title: 'QUALITY' },
    ],
    candidates.map(({ model, usd, saved }) => [
      model,
      usd === null ? 'no price known' : `~${dollars(usd)}`,
      saved === null ? '?' : `~${percent(saved, 0)}`,
      'unknown',
    ]),
    width,
  )
  const [unpriced, estimated] = [models.reduce((sum, one) => sum + one.unpriced, 0), models.reduce((sum, one) => sum + one.estimated, 0)]
  const say = (text: string) => `${wrap(text, width).join('\n')}\n`
  return [
    say(`${printable(log)}: ${title}, ${requests.toLocaleString('en-US')} requests, each answered by one model.`),
    `\n${did}`,
    ...(unpriced > 0 ? [say(`Of ${unpriced} calls neither the log nor the price list tells the dollars; they are in no sum.`)] : []),
    ...(estimated > 0 ? [say(`~: dollars of ${estimated} calls are from the price list (${prices}).`)] : []),
    `\nWhat the same tokens would have cost:\n${would}`,
    '\n',
    say(
      "These are estimates: another model writes answers of another length. Whether its answers would have been as good can't be known from this log; only asking it tells.",
    ),
    say(
      withContent === 0
        ? "The log holds no prompts, so nothing can be asked again. Log them for a while (content is stored only where you turn it on), or log several models' outcomes."
        : `To find out, let the most telling of the ${withContent.toLocaleString('en-US')} requests be answered by other models. This shows first what it will cost at most:`,
    ),
    ...(withContent === 0
      ? []
      : [
          `\n  bursar replay --log ${printable(log)} --collect 200 --max-usd 5 \\\n    --models <provider/model,…> --judge <provider/model> --out outcomes.jsonl\n`,
        ]),
    ...(leftOut > 0 ? [say(`${leftOut} rows of the log were wrong and left out.`)] : []),
  ].join('')
}
