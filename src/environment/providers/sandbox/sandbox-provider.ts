import { BursarError, InvalidRequest } from '../../../errors/index.js'
import { costFields, type Delta, type ReportedUsage, type Request } from '../../../protocol/index.js'
import { noUsage, systemClock, type Clock } from '../../../quantities/index.js'
import { childRandom } from '../../../statistics/index.js'
import type { Provider, ProviderCall, ProviderEmbedCall, ProviderResult } from '../../provider.js'
import { Pace } from '../pace.js'
import { readDirectives, splitModelName, type Directives } from './directives.js'
import { spread } from './draws.js'
import { embedInputs, encodeVector } from './embedding.js'
import { brokenStreamFault, contextFault, malformedFault, statusFault } from './faults.js'
import { SANDBOX_MODELS, sandboxFacts, type SandboxModel } from './models.js'
import { choicesWanted, planChoice, wholeChoice, type PlannedChoice } from './plan.js'
import { PromptCache, type InputSplit } from './prompt-cache.js'
import { dropper, readPrompt, type Prompt } from './prompt.js'
import { streamSteps } from './steps.js'
import { LONGEST_TOKEN } from './tokens.js'

const MOST_REMEMBERED_FAILURES = 10_000
const HEADERS = { 'x-sandbox': 'simulated' }
const FINGERPRINT = 'bursar-sandbox-simulator'

export interface SandboxSettings {
  /** The provider's id; `sandbox` when absent. */
  readonly id?: string | undefined
  readonly seed: number
  readonly clock?: Clock | undefined
  /** How many times faster than declared; `Infinity` for no delay. Silences that a directive asks for are not shortened. */
  readonly speed?: number | undefined
  /** Other models than the usual ones, such as some that fail now and then. */
  readonly models?: readonly SandboxModel[] | undefined
}

/**
 * A simulator in the place of a provider: models of three price tiers and one for embeddings, with declared speed, price, failure
 * rate and answer quality. It needs no key and no network, streams and counts as real ones do, calls tools, follows
 * schemas, and fails when told to (see `readDirectives`). Everything it says, says that it is simulated.
 */
export function createSandboxProvider(settings: SandboxSettings): Provider {
  return new Sandbox(settings)
}

class Sandbox implements Provider {
  readonly id: string
  readonly kind = 'sandbox'
  private readonly seed: number
  private readonly clock: Clock
  private readonly speed: number
  private readonly catalog: ReadonlyMap<string, SandboxModel>
  private readonly cache: PromptCache
  /** How often each `fail_first` has failed; least recently begun first. */
  private readonly failures = new Map<string, number>()
  private calls = 0

  constructor({ id = 'sandbox', seed, clock = systemClock, speed = 1, models = SANDBOX_MODELS }: SandboxSettings) {
    if (!(speed > 0))
      throw new BursarError(`The sandbox's speed must be above 0, not ${speed}.`, { code: 'invalid_configuration', status: 500 })
    this.id = id
    this.seed = seed
    this.clock = clock
    this.speed = speed
    this.catalog = new Map(models.map((model) => [model.id, model]))
    this.cache = new PromptCache(clock)
  }

  speaks(): boolean {
    return false
  }

  models(): readonly string[] {
    return [...this.catalog.keys()]
  }

  facts(model: string) {
    const found = this.catalog.get(this.baseName(model))
    return found && sandboxFacts(this.id, found)
  }

  check() {
    const names = this.models()
    return Promise.resolve({
      ok: true,
      message: `${names.length} simulated models (no real model answers; set a provider's key for one that does)`,
      models: names,
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async *generate(call: ProviderCall): AsyncGenerator<Delta, ProviderResult> {
    const { request, progress } = call
    const pace = new Pace(this.clock, call.limits, call.cancellation.signal, this.id)
    const model = this.modelOf(call.model)
    if (model.embeddings)
      throw new InvalidRequest(`model: ${this.id}/${model.id} computes embeddings only. Use it with /v1/embeddings.`, { path: 'model' })
    const serial = this.calls++
    const random = childRandom(this.seed, `call\0${serial}`)

    const dropped: string[] = []
    progress.dropped = dropped
    const drop = dropper(call.dropUnsupported, dropped)
    const prompt = readPrompt(request, drop)
    for (const field of request.extra) drop(field.path, "the sandbox doesn't know this field")
    const serviceTier = tierOf(request, drop)
    const directives = readDirectives(splitModelName(call.model).said, request.metadata, prompt.directives, prompt.path)
    const wanted = choicesWanted(request)

    progress.sent = true
    const factor = (directives.slow ?? 1) / this.speed
    const { speed } = model
    await this.failIfTold(directives, prompt.text, pace, speed.firstTokenSeconds * factor)
    if (model.failureRate > 0 && random.next() < model.failureRate) {
      await pace.wait(speed.firstTokenSeconds * factor * spread(random, speed.jitter))
      throw statusFault(this.id, 500, undefined)
    }

    // A prompt that can't fit is not worth counting: it may be as long as the body limit allows.
    const characters = prompt.segments.reduce((sum, { text }) => sum + text.length, 0)
    const least = Math.floor(characters / LONGEST_TOKEN)
    const messagesPath = request.paths.messages ?? 'messages'
    if (least > model.contextTokens) throw contextFault(this.id, model.id, least, model.contextTokens, messagesPath)
    const split = this.cache.use(`${model.id}\0${request.promptCacheKey ?? ''}`, prompt.segments)
    const inputTokens = split.fresh + split.read + split.write5m + split.write1h
    if (inputTokens > model.contextTokens) throw contextFault(this.id, model.id, inputTokens, model.contextTokens, messagesPath)
    const plans = this.plan(request, prompt, model, directives, wanted, serial)
    const reported = reportOf(split, plans, serviceTier)
    progress.reported = reportOf(split, [], serviceTier)

    await pace.wait(
      (speed.firstTokenSeconds * spread(random, speed.jitter) +
        (split.fresh + split.write5m + split.write1h) / speed.inputTokensPerSecond) *
        factor,
    )
    if (directives.malformed) throw malformedFault(this.id)
    if (directives.stall !== undefined) await pace.wait(directives.stall)

    const id = `sbx-${this.seed}-${serial}`
    const name = `${this.id}/${model.id}`
    const created = Math.floor(this.clock.now())
    const start = { type: 'start', id, model: name, created } as const
    const fragile = directives.dieAfter !== undefined || directives.silenceAfter !== undefined
    const steps = streamSteps(plans, speed.tokensPerSecond, speed.jitter, fragile ? 'single' : 'mixed', random)
    let silence = directives.silence ?? 0
    let made = 0
    let visible = false
    if (request.stream) yield start
    for (const { delta, tokens, seconds } of steps) {
      if (directives.dieAfter !== undefined && made >= directives.dieAfter)
        throw brokenStreamFault(this.id, visible ? 'stream' : 'first_token')
      if (silence > 0 && made >= (directives.silenceAfter ?? 0)) {
        await pace.wait(silence)
        silence = 0
      }
      await pace.wait(seconds * factor)
      made += tokens
      progress.outputTokens += tokens
      if (delta === undefined || !request.stream) continue
      pace.sent()
      visible = true
      yield delta
    }
    progress.reported = reported
    if (request.stream) yield { type: 'usage', reported }
    const reply = { id, model: name, created, choices: plans.map(wholeChoice), reported, systemFingerprint: FINGERPRINT }
    return { answer: { kind: 'reply', reply }, reported, estimatedOutputTokens: 0, headers: HEADERS }
  }

  async embed(call: ProviderEmbedCall): Promise<ProviderResult> {
    const pace = new Pace(this.clock, call.limits, call.cancellation.signal, this.id)
    const model = this.modelOf(call.model)
    if (!model.embeddings)
      throw new InvalidRequest(`model: ${this.id}/${model.id} writes text and computes no embeddings. Use ${this.id}/embed.`, {
        path: 'model',
      })
    const random = childRandom(this.seed, `call\0${this.calls++}`)
    const { request } = call
    const dropped: string[] = []
    call.progress.dropped = dropped
    const drop = dropper(call.dropUnsupported, dropped)
    for (const field of request.extra) drop(field.path, "the sandbox doesn't know this field")
    const directives = readDirectives(splitModelName(call.model).said, undefined, [], 'model')

    call.progress.sent = true
    const factor = (directives.slow ?? 1) / this.speed
    const key = typeof request.inputs[0] === 'string' ? request.inputs[0] : ''
    await this.failIfTold(directives, key, pace, model.speed.firstTokenSeconds * factor)
    if (model.failureRate > 0 && random.next() < model.failureRate) throw statusFault(this.id, 500, undefined)
    const { vectors, tokens } = embedInputs(request, model.contextTokens)
    await pace.wait(
      (model.speed.firstTokenSeconds * spread(random, model.speed.jitter) + tokens / model.speed.inputTokensPerSecond) * factor,
    )
    if (directives.malformed) throw malformedFault(this.id)
    if (directives.stall !== undefined) await pace.wait(directives.stall)

    const reported: ReportedUsage = { usage: { ...noUsage, inputTokens: tokens } }
    call.progress.reported = reported
    const body = {
      object: 'list',
      data: vectors.map((vector, index) => ({ object: 'embedding', index, embedding: encodeVector(vector, request.encoding) })),
      model: `${this.id}/${model.id}`,
      usage: { prompt_tokens: tokens, total_tokens: tokens, ...costFields(call.tap.price(reported)) },
    }
    return { answer: { kind: 'wire', bytes: Buffer.from(JSON.stringify(body)) }, reported, estimatedOutputTokens: 0, headers: HEADERS }
  }

  private plan(
    request: Request,
    prompt: Prompt,
    model: SandboxModel,
    directives: Directives,
    wanted: number,
    serial: number,
  ): PlannedChoice[] {
    const ids = childRandom(this.seed, `ids\0${serial}`)
    const newId = () =>
      `sbx${serial.toString(36)}${Math.floor(ids.next() * 36 ** 5)
        .toString(36)
        .padStart(5, '0')}`
    const name = `${this.id}/${model.id}`
    return Array.from({ length: wanted }, (_, index) => planChoice(request, prompt, model, name, directives, this.seed, index, newId))
  }

  private async failIfTold(directives: Directives, text: string, pace: Pace, seconds: number): Promise<void> {
    const { status, failFirst } = directives
    if (status === undefined) return
    if (failFirst !== undefined) {
      const key = `${directives.said}\0${text}`
      const failed = this.failures.get(key) ?? 0
      if (failed >= failFirst) return
      this.failures.set(key, failed + 1)
      for (const oldest of this.failures.keys()) {
        if (this.failures.size <= MOST_REMEMBERED_FAILURES) break
        this.failures.delete(oldest)
      }
    }
    await pace.wait(seconds)
    throw statusFault(this.id, status, directives.retryAfter)
  }

  private baseName(model: string): string {
    const { name } = splitModelName(model)
    return name.startsWith(`${this.id}/`) ? name.slice(this.id.length + 1) : name
  }

  private modelOf(name: string): SandboxModel {
    const model = this.catalog.get(this.baseName(name))
    if (model) return model
    throw new BursarError(`The sandbox has no model "${name}". It has ${this.models().join(', ')}.`, {
      code: 'model_not_found',
      status: 404,
      path: 'model',
    })
  }
}

function reportOf(split: InputSplit, plans: readonly PlannedChoice[], serviceTier: string | undefined): ReportedUsage {
  const sum = (count: (plan: PlannedChoice) => number) => plans.reduce((total, plan) => total + count(plan), 0)
  return {
    usage: {
      ...noUsage,
      inputTokens: split.fresh,
      cacheReadTokens: split.read,
      cacheWrite5mTokens: split.write5m,
      cacheWrite1hTokens: split.write1h,
      outputTokens: sum((plan) => plan.outputTokens),
      reasoningTokens: sum((plan) => plan.reasoningTokens),
    },
    ...(serviceTier === undefined ? {} : { serviceTier }),
  }
}

/** The tier that the simulated provider says it used. */
function tierOf(request: Request, drop: (path: string, why: string) => void): string | undefined {
  switch (request.serviceTier) {
    case undefined:
      return undefined
    case 'auto':
    case 'default':
    case 'standard':
    case 'standard_only':
      return 'default'
    case 'flex':
    case 'priority':
      return request.serviceTier
    default:
      drop(request.paths.serviceTier ?? 'service_tier', 'the sandbox has the tiers auto, default, flex and priority')
      return undefined
  }
}
