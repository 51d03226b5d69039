import { createHash } from 'node:crypto'
import { openaiChat, type Request } from '../../protocol/index.js'
import { buildStrategy, canonical, modelsOf, parseStrategy, type StrategySpec } from '../../strategies/index.js'
import { mappingOf, textAt } from './assertions.js'
import type { Method, TestItem } from './contract.js'
import { modelName } from './model-names.js'
import type { Prompt } from './prompts.js'
import { fault, placed, within, type Reader, type Sourced } from './source.js'
import { entriesOf } from './tests.js'

/** What answers: a model with settings, or a declared strategy. */
interface Answerer {
  readonly label: string
  readonly model: string
  readonly strategy: StrategySpec | undefined
  /** Fields of the request's body beside model and messages. */
  readonly body: Readonly<Record<string, unknown>>
  /** Labels of the prompts that it is asked with; absent: all. */
  readonly prompts: readonly string[] | undefined
  readonly where: Sourced
}

const FIELDS = new Set(['id', 'model', 'provider', 'label', 'config', 'prompts', 'strategy', 'description'])
/** Where and with which key a provider is reached is said in Bursar's configuration, not in test files: never read, never kept. */
const CONNECTION =
  /^(?:api(?:Key|KeyEnvar|Host|BaseUrl|Version)|organization|headers|region|projectId|basePath|timeout|maxRetries|cost|inputCost|outputCost|showThinking|stream|stream_options)$/i
/** promptfoo's names of fields where they differ from the request's. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ['effort', 'reasoning_effort'],
  ['max_output_tokens', 'max_completion_tokens'],
  ['maxTokens', 'max_tokens'],
  ['maxOutputTokens', 'max_completion_tokens'],
  ['stopSequences', 'stop'],
  ['stop_sequences', 'stop'],
  ['topP', 'top_p'],
  ['topK', 'top_k'],
])
const KNOWN = new Set([
  'temperature',
  'max_tokens',
  'max_completion_tokens',
  'top_p',
  'top_k',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'response_format',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning_effort',
  'reasoning',
  'verbosity',
  'service_tier',
])
const MOST_METHODS = 1000

/**
 * The methods of a suite: each of `providers` (or `methods`) with each prompt. Throws `InvalidRequest` with file, line and path: for
 * what is no model, unknown settings, strategies that can't be built, and two methods of one name.
 */
export async function readMethods(
  list: Sourced,
  prompts: readonly Prompt[],
  reader: Reader,
  note: (sentence: string) => void,
): Promise<readonly Method[]> {
  const answerers: Answerer[] = []
  const whole: Sourced = typeof list.value === 'string' && !list.value.startsWith('file://') ? { ...list, value: [list.value] } : list
  if (Array.isArray(whole.value))
    for (const index of whole.value.keys()) answerers.push(...(await answerersOf(within(whole, index), reader, note)))
  else answerers.push(...(await answerersOf(whole, reader, note)))
  const methods = answerers.flatMap((answerer) => {
    const asked =
      answerer.prompts === undefined
        ? prompts
        : prompts.filter(({ label }) => answerer.prompts?.some((named) => named === label || label.startsWith(`${named} #`)))
    if (asked.length === 0 && prompts.length > 0)
      throw fault(
        within(answerer.where, 'prompts'),
        `There are no prompts of these labels. There are ${prompts.map(({ label }) => `"${label}"`).join(', ')}.`,
      )
    return asked.length === 0
      ? [methodOf(answerer, undefined, 1, answerers.length)]
      : asked.map((prompt) => methodOf(answerer, prompt, asked.length, answerers.length))
  })
  if (methods.length === 0) throw fault(list, 'There is nothing to compare: name at least one model.')
  if (methods.length > MOST_METHODS) throw fault(list, `There are ${methods.length} methods; at most ${MOST_METHODS} are compared.`)
  const twice = methods.find(({ id }, index) => methods.findIndex((other) => other.id === id) !== index)
  if (twice !== undefined) throw fault(list, `Two methods are called "${twice.id}". Give them a \`label\` each.`)
  return methods
}

async function answerersOf(entry: Sourced, reader: Reader, note: (sentence: string) => void): Promise<readonly Answerer[]> {
  const { value } = entry
  if (typeof value === 'string') {
    if (!value.startsWith('file://'))
      return [{ label: value, model: named(entry, value), strategy: undefined, body: {}, prompts: undefined, where: entry }]
    const found: Answerer[] = []
    for await (const inner of entriesOf(entry, reader)) found.push(...(await answerersOf(inner, reader, note)))
    return found
  }
  const fields = mappingOf(entry, 'A method')
  const [only] = Object.keys(fields)
  // promptfoo's other form: the name of the model, then its settings.
  if (only !== undefined && Object.keys(fields).length === 1 && !FIELDS.has(only)) {
    const inner = within(entry, only)
    return [answererOf(inner, mappingOf(inner, 'Settings of a method'), only, note)]
  }
  return [answererOf(entry, fields, undefined, note)]
}

function answererOf(
  where: Sourced,
  fields: Readonly<Record<string, unknown>>,
  outer: string | undefined,
  note: (sentence: string) => void,
): Answerer {
  for (const name of Object.keys(fields))
    if (!FIELDS.has(name)) throw fault(within(where, name), `A method has no field \`${name}\`. It may have ${[...FIELDS].join(', ')}.`)
  const strategy = fields['strategy'] === undefined ? undefined : strategyAt(within(where, 'strategy'))
  const id = textAt(within(where, 'id'))
  const said = outer ?? textAt(within(where, 'model')) ?? textAt(within(where, 'provider')) ?? (strategy === undefined ? id : undefined)
  if (said === undefined && strategy === undefined)
    throw fault(where, 'A method needs `id`: the model’s name, such as openai/gpt-5-mini; or `strategy`.')
  const prompts = within(where, 'prompts')
  return {
    label: textAt(within(where, 'label')) ?? id ?? said ?? 'strategy',
    // A strategy names its models itself.
    model: said === undefined ? (strategy === undefined ? '' : (modelsOf(buildStrategy(strategy))[0] ?? '')) : named(where, said),
    strategy,
    body: bodyOf(within(where, 'config'), note),
    prompts:
      prompts.value === undefined
        ? undefined
        : (Array.isArray(prompts.value) ? prompts.value : [prompts.value]).map(
            (_, index) => textAt(Array.isArray(prompts.value) ? within(prompts, index) : prompts) ?? '',
          ),
    where,
  }
}

function strategyAt(where: Sourced): StrategySpec {
  try {
    return parseStrategy(where.value, '')
  } catch (thrown) {
    throw placed(where, thrown)
  }
}

function named(where: Sourced, said: string): string {
  try {
    return modelName(said)
  } catch (thrown) {
    throw placed(where, thrown)
  }
}

function bodyOf(config: Sourced, note: (sentence: string) => void): Readonly<Record<string, unknown>> {
  if (config.value === undefined || config.value === null) return {}
  const body: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(mappingOf(config, '`config`'))) {
    const field = RENAMED.get(name) ?? name
    if (CONNECTION.test(name))
      note(`${config.source.file}: \`config.${name}\` is passed over: how a provider is reached stands in Bursar's own configuration.`)
    else if (name === 'thinking') Object.assign(body, { reasoning: thinkingOf(within(config, name)) })
    else if (KNOWN.has(field)) body[field] = value
    else throw fault(within(config, name), `A method has no setting \`${name}\`. There are ${[...KNOWN].join(', ')}, effort, thinking.`)
  }
  return body
}

/** Anthropic's `thinking: {type, budget_tokens}` as OpenRouter's `reasoning`, which the canonical form is read from. */
function thinkingOf(where: Sourced): Readonly<Record<string, unknown>> {
  mappingOf(where, '`thinking`')
  if (within(where, 'type').value === 'disabled') return { effort: 'none' }
  const tokens = within(where, 'budget_tokens').value
  if (typeof tokens !== 'number') throw fault(where, '`thinking` is {type: enabled, budget_tokens: a number} or {type: disabled}.')
  return { max_tokens: tokens }
}

function methodOf(answerer: Answerer, prompt: Prompt | undefined, prompts: number, answerers: number): Method {
  const { label, model, strategy, body, where } = answerer
  const id = prompt === undefined || prompts === 1 ? label : answerers === 1 ? prompt.label : `${label}, ${prompt.label}`
  const base = (): Request => {
    try {
      return openaiChat.decodeRequest({ ...body, model, messages: [{ role: 'user', content: '-' }] })
    } catch (thrown) {
      throw placed(within(where, 'config'), thrown)
    }
  }
  const settings = base()
  return {
    id,
    requestOf(item: TestItem): Request {
      if (prompt === undefined && item.messages !== undefined) return { ...settings, messages: item.messages }
      const asked = prompt ?? plainQuestion
      return openaiChat.decodeRequest({ ...body, model, messages: dressed(asked.messagesOf(item.variables), item.variables) })
    },
    ...(strategy === undefined ? {} : { strategy }),
    fingerprint: createHash('sha256')
      .update(canonical({ model, body, strategy, prompt: prompt?.source }))
      .digest('hex'),
  }
}

/** What is asked where a suite has no prompts: promptfoo's `{{prompt}}`, or the question of a test. */
const plainQuestion: Pick<Prompt, 'messagesOf'> = {
  messagesOf(variables) {
    const asked = variables['prompt'] ?? variables['question']
    return [{ role: 'user', content: typeof asked === 'string' ? asked : JSON.stringify(asked ?? '') }]
  },
}

/** The messages with a test's own `prefix` and `suffix` around what the user says last. */
function dressed(
  messages: ReturnType<Prompt['messagesOf']>,
  { _prefix = '', _suffix = '' }: Readonly<Record<string, unknown>>,
): ReturnType<Prompt['messagesOf']> {
  const last = messages.at(-1)
  if ((_prefix === '' && _suffix === '') || typeof last?.['content'] !== 'string') return messages
  return [...messages.slice(0, -1), { ...last, content: `${String(_prefix)}${last['content']}${String(_suffix)}` }]
}
