import { z } from 'zod'
import type { ModelId } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import type { Difficulty, Features } from '../../understanding/index.js'
import type { AgreementCalibration, AnswerShapes } from '../agreement/index.js'
import type { ModelUse } from '../calls.js'
import type { EffortController } from '../effort/index.js'
import type { Saturation } from '../sampling/index.js'
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
  /** How plausible answers of a form are, as learned so far; absent: votes count as they are. */
  readonly shapes?: AnswerShapes | undefined
  /** How far sampling carries, as learned so far; absent: as many samples as a strategy says. */
  readonly saturation?: Saturation | undefined
  /** Kind of question, for what is learned by it; absent: as guessed from the text. Cheap and without calls. */
  readonly categoryOf?: ((request: Request) => string | undefined) | undefined
  /** False: nothing is tried out in order to learn. */
  readonly explore?: boolean | undefined
  /** Makes a strategy of a library that learns (109); absent: the first of its strategies answers. */
  readonly library?: ((use: LibraryUse) => Strategy) | undefined
}

/** What a declared strategy of kind `library` says of it. */
export interface LibraryUse {
  /** Of the library: strategies that name the same one share what it learned. */
  readonly name: string
  /** What is in it from the beginning. */
  readonly seeds: readonly [StrategySpec, ...StrategySpec[]]
  /** Dollars that a right answer is worth more than a wrong one. */
  readonly lambda: number
  /** Largest share of requests that are used to try what isn't known to be the best, in [0, 0.5]. */
  readonly explore: number
  readonly guide?: GuideUse | undefined
  /** Models that it may call: those of its seeds and of its guide's proposals. */
  readonly plan: Strategy['plan']
}

/** Who proposes new strategies. */
export interface GuideUse {
  readonly model: ModelUse
  /** Models that proposals may call. */
  readonly models: readonly ModelId[]
  /** Runs that must have gone wrong since it was asked last. */
  readonly everyFailures: number
  /** Calls that a proposal may take for a request at worst. */
  readonly mostCalls: number
}

/** A context with everything that kinds rely on. */
export type FullContext = BuildContext & {
  readonly [part in 'difficultyOf' | 'featuresOf' | 'categoryOf' | 'effort' | 'thinkGate']-?: NonNullable<BuildContext[part]>
}

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
  /** Names of its fields; empty where they aren't known. */
  fieldNames(nested: z.ZodType<StrategySpec>): readonly string[]
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
    fieldNames: (nested) => {
      const schema = schemaOf(nested)
      return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
    },
    build: (fields, nested, scope) => definition.build(schemaOf(nested).parse(fields), scope),
    describe: (fields, nested, say) => definition.describe(schemaOf(nested).parse(fields), say),
  }
}
