import type { z } from 'zod'
import type { Request } from '../../protocol/index.js'
import type { Difficulty, Features } from '../../understanding/index.js'
import type { AgreementCalibration } from '../agreement/index.js'
import type { EffortController } from '../effort/index.js'
import type { ThinkEvent, ThinkGate } from '../thinking/index.js'
import type { Strategy } from '../strategy.js'

/**
 * A strategy as data: what configurations hold, dashboards show and libraries remember. Plain JSON: the kind, its fields with all
 * defaults filled in, and specs of the same form where a kind is made of other strategies.
 */
export interface StrategySpec {
  readonly kind: string
  readonly [field: string]: unknown
}

/** What built strategies are lent; what is absent each context makes for itself. The same context gives the same strategy for the same spec. */
export interface BuildContext {
  /** The most calls that a request may take at worst; specs that could take more are refused. 64 when absent. */
  readonly maxCalls?: number | undefined
  /** How difficult a request is, for kinds that adapt to it; absent: as guessed from its text. Cheap and without calls. */
  readonly difficultyOf?: ((request: Request) => Difficulty | undefined) | undefined
  /** Everything that is known of a request; absent: what its text tells. */
  readonly featuresOf?: ((request: Request, signal: AbortSignal) => Features | Promise<Features>) | undefined
  /** What relative effort is in tokens, as learned so far. */
  readonly effort?: EffortController | undefined
  /** Whether thinking pays, as learned so far. */
  readonly thinkGate?: ThinkGate | undefined
  /** Told of each decision of a gate that was carried out, so that its outcome can be learned (`ThinkGate.observe`). */
  readonly onThink?: ((event: ThinkEvent) => void) | undefined
  /** What agreement is worth, as learned so far; absent: shares of votes are compared as they are. */
  readonly calibration?: AgreementCalibration | undefined
}

/** A context with everything that kinds rely on. */
export type FullContext = BuildContext & { readonly [part in 'difficultyOf' | 'featuresOf' | 'effort' | 'thinkGate']-?: NonNullable<BuildContext[part]> }

/** What a kind may use while it builds. */
export interface BuildScope {
  readonly context: FullContext
  /** Builds a strategy within this one. */
  strategy(spec: StrategySpec): Strategy
}

/** One kind of declared strategy: a name, the form of its fields, and how it becomes a `Strategy`. */
export interface KindDefinition<Settings extends object> {
  readonly kind: string
  /** One plain sentence on what it does, for documentation and error messages. */
  readonly about: string
  /** The fields beside `kind`: a strict object, in which `nested` stands wherever a strategy does. What it gives must be what it takes. */
  fields(nested: z.ZodType<StrategySpec>): z.ZodType<Settings>
  build(settings: Settings, scope: BuildScope): Strategy
  /** What a strategy with these settings does, in plain words that can follow "it"; `say` tells of a nested one. */
  describe(settings: Settings, say: (spec: StrategySpec) => string): string
}

/** A kind as the registry holds it, whatever its settings are. */
export interface StrategyKind {
  readonly kind: string
  readonly about: string
  /** The fields of a spec, checked, with defaults; `nested` reads strategies within. */
  read(fields: unknown, nested: z.ZodType<StrategySpec>): z.ZodSafeParseResult<object>
  build(fields: unknown, nested: z.ZodType<StrategySpec>, scope: BuildScope): Strategy
  describe(fields: unknown, nested: z.ZodType<StrategySpec>, say: (spec: StrategySpec) => string): string
}

/** Makes a definition fit for the registry. */
export function strategyKind<Settings extends object>(definition: KindDefinition<Settings>): StrategyKind {
  const schemas = new WeakMap<z.ZodType<StrategySpec>, z.ZodType<Settings>>()
  const schemaOf = (nested: z.ZodType<StrategySpec>) => {
    let schema = schemas.get(nested)
    if (schema === undefined) schemas.set(nested, (schema = definition.fields(nested)))
    return schema
  }
  return {
    kind: definition.kind,
    about: definition.about,
    read: (fields, nested) => schemaOf(nested).safeParse(fields),
    build: (fields, nested, scope) => definition.build(schemaOf(nested).parse(fields), scope),
    describe: (fields, nested, say) => definition.describe(schemaOf(nested).parse(fields), say),
  }
}
