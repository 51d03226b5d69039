import { InvalidRequest, BursarError } from '../../../errors/index.js'
import type { Completion } from '../../../environment/index.js'
import { openaiEmbeddings } from '../../../protocol/index.js'
import { noConfig, readConfig, scoreThreshold, textValues, type CheckKind } from '../check-kind.js'

/** Characters of a text that are embedded at most: models take about 8,000 tokens. */
const LONGEST_EMBEDDED = 24_000

/** Cosine of the embeddings of answer and value, of an embedding model. The value is embedded with each answer, in the same call. */
export const similar: CheckKind = {
  kind: 'similar',
  about:
    'Cosine of the embeddings of the answer and `value` (a text, or a list of which the nearest counts) is at least `threshold`, 0.8 when absent. `provider` names the embedding model.',
  bind(declared, path) {
    readConfig(noConfig, declared, path)
    const references = textValues(declared, path)
    const { model } = declared
    if (model === undefined)
      throw new InvalidRequest(
        'similar needs an embedding model: say `provider: openai/text-embedding-3-small`, or another that your configuration has.',
        { path: `${path}.provider` },
      )
    return {
      threshold: scoreThreshold(declared, path, 0.8),
      async grade(answer, { environment }) {
        // Providers refuse empty texts.
        if (answer.trim() === '') return { score: 0, reason: 'The answer is empty.' }
        const inputs = [answer, ...references].map((text) => text.slice(0, LONGEST_EMBEDDED))
        const completion = await environment.embed(model, { model, inputs, encoding: 'float', extra: [] })
        const [given = [], ...held] = vectorsOf(completion)
        if (held.length !== references.length)
          throw new BursarError(`${model} gave ${held.length + 1} embeddings for ${inputs.length} texts.`, {
            code: 'upstream_malformed',
            status: 502,
          })
        const nearest = Math.max(...held.map((vector) => cosine(given, vector)))
        return { score: Math.max(0, nearest), reason: `Cosine similarity is ${nearest.toFixed(2)}.`, cost: completion.cost }
      },
    }
  },
}

function vectorsOf(completion: Completion): readonly (readonly number[])[] {
  if (completion.answer.kind !== 'wire')
    throw new BursarError(`${completion.model} gave no embeddings.`, { code: 'upstream_malformed', status: 502 })
  return openaiEmbeddings.decodeReply(JSON.parse(Buffer.from(completion.answer.bytes).toString('utf8'))).vectors
}

/** In [−1, 1]; 0 where one of both is all zeros. O(dimensions). */
function cosine(a: readonly number[], b: readonly number[]): number {
  let [dot, ownA, ownB] = [0, 0, 0]
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at] ?? 0, b[at] ?? 0]
    dot += x * y
    ownA += x * x
    ownB += y * y
  }
  return ownA === 0 || ownB === 0 ? 0 : dot / Math.sqrt(ownA * ownB)
}
