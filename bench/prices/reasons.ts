import type { Catalog } from '../../src/catalog/index.js'
import type { ReportedUsage } from '../../src/protocol/index.js'
import type { Usage } from '../../src/quantities/index.js'
import { price, samePrice, wrongTokens, type Entry } from './reading.js'

/** The world in which a disagreement is looked at. */
export interface Setting {
  readonly catalog: Catalog
  readonly at: number
}

/**
 * Why a case is wrong. A reason must be proved for every entry that it is used for: `holds` checks its premise in the body,
 * and that reading the body as the case does gives the case's figures exactly. So it can't cover up another mistake.
 */
export interface Reason {
  readonly name: string
  readonly text: string
  /** Cases in the data that this was found in. Others may have the same fault; the report lists each. */
  readonly known: readonly number[]
  holds(entry: Entry, reported: ReportedUsage, setting: Setting): boolean
}

export const reasons: readonly Reason[] = [
  {
    name: 'compaction',
    text: "Anthropic's totals leave out the compaction that `iterations` lists, and bill it; the case prices the totals only (https://platform.claude.com/docs/en/build-with-claude/compaction).",
    known: [211],
    holds: (entry, reported, setting) =>
      iterations(entry).some((one) => one['type'] === 'compaction') &&
      readsAs(entry, reported, setting, {
        ...reported.usage,
        inputTokens: number(entry, 'input_tokens'),
        cacheReadTokens: number(entry, 'cache_read_input_tokens'),
        cacheWrite5mTokens: number(entry, 'cache_creation_input_tokens'),
        cacheWrite1hTokens: 0,
        outputTokens: number(entry, 'output_tokens'),
        reasoningTokens: 0,
      }),
  },
  {
    name: 'advisor',
    text: "Anthropic's totals leave out the advisor, another model that `iterations` lists and that is billed at its own price; the case prices the totals only.",
    known: [204, 250],
    holds: (entry, reported, setting) =>
      (reported.also?.length ?? 0) > 0 && readsAs(entry, { ...reported, also: undefined }, setting, reported.usage),
  },
  {
    name: 'searches',
    text: 'Searches that the provider ran are billed one by one; the case (or the price data) leaves them out.',
    known: [91, 214, 215, 260, 265],
    holds: (entry, reported, setting) =>
      reported.usage.webSearches > 0 &&
      (readsAs(entry, reported, setting, { ...reported.usage, webSearches: 0 }) || searchesAreAllThatDiffers(entry, reported, setting)),
  },
  {
    name: 'service tier',
    text: 'The body says that it was served at another tier (flex: half the price); the case takes the ordinary price.',
    known: [128],
    holds: (entry, reported, setting) =>
      reported.serviceTier !== undefined &&
      reported.serviceTier !== 'standard' &&
      readsAs(entry, { ...reported, serviceTier: undefined }, setting, reported.usage),
  },
  {
    name: 'reasoning counted twice',
    text: "The case adds the reasoning to the completion, as xAI's own endpoint needs; but the body's total is prompt + completion, so the reasoning is inside (and the body isn't xAI's).",
    known: [
      170, 184, 185, 193, 194, 196, 289, 293, 311, 366, 463, 497, 506, 564, 585, 586, 651, 658, 755, 779, 828, 854, 938, 943, 1036, 1041,
      1275, 1278, 1279, 1280, 1283, 1285, 1287, 1288, 1289, 1314, 1369, 1374, 1378, 1379, 1380, 1381, 1382, 1384, 1514,
    ],
    holds: (entry, reported) =>
      entry.provider === 'x-ai' &&
      entry.flavour === 'chat' &&
      number(entry, 'total_tokens') === number(entry, 'prompt_tokens') + number(entry, 'completion_tokens') &&
      entry.tokens['output_tokens'] === number(entry, 'completion_tokens') + reported.usage.reasoningTokens,
  },
  {
    name: 'unnamed thoughts',
    text: "Google's chat endpoint counts the thoughts in the total only, and bills them as output; the case leaves out what is between the total and prompt + completion.",
    known: [993],
    holds: (entry, reported, setting) => {
      const gap = number(entry, 'total_tokens') - number(entry, 'prompt_tokens') - number(entry, 'completion_tokens')
      return gap > 0 && readsAs(entry, reported, setting, { ...reported.usage, reasoningTokens: reported.usage.reasoningTokens - gap })
    },
  },
  {
    name: 'unbilled tokens',
    text: "Cohere bills `billed_units`; this reading counts `tokens`, where Cohere's own prompt is included. No price depends on it.",
    known: [275, 278, 308, 309, 325, 326, 338, 1513],
    holds: (entry) => entry.provider === 'cohere' && entry.flavour === 'tokens' && entry.price === undefined,
  },
  {
    name: 'cache writes as fresh input',
    text: "The price data has no price of cache writes for this host, and the case bills them as fresh input; the model's maker bills 1.25 × input, which we take, since money is never guessed low.",
    known: [352],
    holds: (entry, reported, setting) => {
      const { usage } = reported
      const written = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens
      const fresh = { ...usage, inputTokens: usage.inputTokens + written, cacheWrite5mTokens: 0, cacheWrite1hTokens: 0 }
      return written > 0 && samePrice(price(setting.catalog, entry, { ...reported, usage: fresh }, setting.at), entry.price)
    },
  },
  {
    name: 'an hour for five minutes',
    text: 'Cache writes for an hour cost 2 × input at Anthropic; the case bills them like those for five minutes.',
    known: [],
    holds: (entry, reported, setting) => {
      const { usage } = reported
      const short = { ...usage, cacheWrite5mTokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens, cacheWrite1hTokens: 0 }
      return (
        usage.cacheWrite1hTokens > 0 && samePrice(price(setting.catalog, entry, { ...reported, usage: short }, setting.at), entry.price)
      )
    },
  },
  {
    name: 'sound at the price of text',
    text: 'The price data has no price of sound for a model that charges for it, and the case bills it as text; ours is unknown.',
    known: [1046],
    holds: (entry, reported, setting) => {
      const { usage } = reported
      const asText = {
        ...usage,
        inputTokens: usage.inputTokens + usage.inputAudioTokens,
        inputAudioTokens: 0,
        outputTokens: usage.outputTokens + usage.outputAudioTokens,
        outputAudioTokens: 0,
      }
      return (
        usage.inputAudioTokens + usage.outputAudioTokens > 0 &&
        samePrice(price(setting.catalog, entry, { ...reported, usage: asText }, setting.at), entry.price)
      )
    },
  },
  {
    name: 'no price taken for free',
    text: 'The price data knows the model and no price of it; the case takes that for $0, ours is unknown.',
    known: [1016, 1017],
    holds: (entry, _reported, { catalog }) => {
      const facts = entry.row.model === undefined ? undefined : catalog.facts(entry.provider, entry.row.model)
      return entry.price?.total === 0n && facts !== undefined && facts.prices === undefined
    },
  },
  {
    name: 'earlier price',
    text: 'The price table dates a change of this price before the time assumed for the calls; the case was made with the price before it.',
    known: [385, 415, 416, 441, 525, 591, 592, 665, 666, 692, 749, 803, 804, 922, 923, 946, 974, 976, 977, 978],
    holds: (entry, reported, { catalog, at }) =>
      (catalog.facts(entry.provider, entry.row.model ?? '')?.prices?.changes ?? []).some(
        ({ when }) =>
          'from' in when &&
          when.from <= at &&
          wrongTokens(entry, reported.usage).length === 0 &&
          samePrice(price(catalog, entry, reported, when.from - 1), entry.price),
      ),
  },
]

/** Whether the case's counts and price come out when the usage is read in another way. */
function readsAs(entry: Entry, reported: ReportedUsage, { catalog, at }: Setting, usage: Usage): boolean {
  // Which part of the output was reasoning isn't priced apart, and a total doesn't tell.
  const wrong = wrongTokens(entry, usage).filter((name) => name !== 'output_reasoning_tokens' && name !== 'web_searches')
  return wrong.length === 0 && samePrice(price(catalog, entry, { ...reported, usage }, at), entry.price)
}

/** The price data lacks the price of a search, and the rest of the price is the expected one. */
function searchesAreAllThatDiffers(entry: Entry, reported: ReportedUsage, { catalog, at }: Setting): boolean {
  if (!entry.price) return false
  const rest = price(catalog, entry, { ...reported, usage: { ...reported.usage, webSearches: 0 } }, at)
  const { input, output } = entry.price
  return samePrice(rest, { ...entry.price, total: rest.report.usd ?? entry.price.total }) && rest.report.usd === input + output
}

function iterations(entry: Entry): Readonly<Record<string, unknown>>[] {
  const list = fields(entry.body)['iterations']
  return Array.isArray(list) ? list.map(fields) : []
}

function number(entry: Entry, name: string): number {
  const value = fields(entry.body)[name]
  return typeof value === 'number' ? value : 0
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
