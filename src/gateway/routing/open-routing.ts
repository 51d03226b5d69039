import {
  createUnderstanding,
  embeddedEncoder,
  endpointEncoder,
  onnxEncoder,
  type Encoder,
  type Understanding,
} from '../../understanding/index.js'
import type { Clock } from '../../quantities/index.js'
import type { RoutingConfig } from '../config/index.js'
import { Guides, learnedFileOf, readLearned, type GuideParts, type LearnedState } from '../learning/index.js'
import { predictorKindOf } from './beliefs.js'
import type { RoutingFault } from './router.js'
import { RoutingMemory, setAside } from './routing-memory.js'
import { readStateFile, type RoutingState } from './state-file.js'

/** Texts to vectors at a model, metered like any call. */
export type EmbedTexts = (model: string, texts: readonly string[], signal: AbortSignal) => Promise<readonly (readonly number[])[]>

export interface OpenRoutingParts {
  readonly embed: EmbedTexts
  /** For calls of guides, and what they cost. */
  readonly guides: Pick<GuideParts, 'open' | 'priceOf'>
  readonly clock: Clock
  onFault(kind: RoutingFault, thrown: unknown): void
  onDecision(arm: string): void
  /** Plain sentences for the log. */
  note(text: string): void
}

/**
 * The memory of routing, and what was kept of it by the process before. A state that can't be used is put aside and told of; routing
 * begins anew then.
 */
export async function openRouting(
  config: RoutingConfig,
  parts: OpenRoutingParts,
): Promise<{ readonly memory: RoutingMemory; readonly state: RoutingState | undefined }> {
  const understanding: Understanding = createUnderstanding({ encoder: encoderOf(config.encoder, parts.embed) })
  const guides: Guides = new Guides({
    ...parts.guides,
    budget: () => memory.learningBudget,
    note: (text) => parts.note(text),
    onFault: (thrown) => parts.onFault('learning', thrown),
  })
  const memory: RoutingMemory = new RoutingMemory({
    understanding,
    clock: parts.clock,
    onFault: (kind, thrown) => parts.onFault(kind, thrown),
    onDecision: (arm) => parts.onDecision(arm),
    onGuideWanted: (wanted) => guides.wanted(wanted),
    close: () => guides.close(),
  })
  const learned = await readKept(config, parts)
  if (learned !== undefined) memory.recall(learned)
  return { memory, state: await readState(config, parts) }
}

/** The encoder of a configuration; loaded when it is first used. */
function encoderOf(encoder: RoutingConfig['encoder'], embed: EmbedTexts): Encoder | undefined {
  if (encoder === 'none') return undefined
  if (encoder === 'embedded') return embeddedEncoder()
  if ('onnx' in encoder) return onnxEncoder({ file: encoder.onnx, vocabulary: encoder.vocabulary, dimensions: encoder.dimensions })
  return endpointEncoder({
    id: `endpoint:${encoder.endpoint}`,
    dimensions: encoder.dimensions,
    embed: (texts, signal) => embed(encoder.endpoint, texts, signal),
  })
}

/** What strategies and policies had learned. */
async function readKept({ predictor }: RoutingConfig, parts: OpenRoutingParts): Promise<LearnedState | undefined> {
  if (predictor.state === undefined) return undefined
  const file = learnedFileOf(predictor.state)
  try {
    return await readLearned(file)
  } catch (thrown) {
    parts.onFault('state', thrown)
    parts.note(
      `${file} can't be used: it was put aside as ${await setAside(file).catch(() => 'nothing, since it could not be renamed')}, and strategies and policies begin to learn anew.`,
    )
    return undefined
  }
}

async function readState({ predictor }: RoutingConfig, parts: OpenRoutingParts): Promise<RoutingState | undefined> {
  const { state: file } = predictor
  if (file === undefined) return undefined
  const { kind } = predictorKindOf(predictor)
  try {
    const state = await readStateFile(file)
    if (state === undefined || state.kind === kind) return state
    parts.note(
      `${file} was learned by a predictor of kind "${state.kind}", and the configuration names "${kind}": it was put aside as ${await setAside(file)}, and routing begins anew.`,
    )
  } catch (thrown) {
    parts.onFault('state', thrown)
    parts.note(
      `${file} can't be used: it was put aside as ${await setAside(file).catch(() => 'nothing, since it could not be renamed')}, and routing begins anew.`,
    )
  }
  return undefined
}
