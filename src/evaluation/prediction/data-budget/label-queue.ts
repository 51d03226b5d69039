/**
 * A passage that may be labelled for a query, with its place in each retriever's list (1 is first; absent where a list doesn't have
 * it).
 */
export interface Candidate {
  readonly passage: string
  readonly ranks: readonly (number | undefined)[]
  /** How sure a reranker is between this and its neighbours: 0 unsure. Absent where there is none. */
  readonly margin?: number | undefined
}

export interface QueryToLabel {
  readonly query: string
  /** For even shares between kinds of questions. */
  readonly type?: string | undefined
  readonly candidates: readonly Candidate[]
  /** Labels so far: passage to relevant or not. */
  readonly labels: ReadonlyMap<string, boolean>
}

export interface LabelRequest {
  readonly query: string
  readonly passage: string
}

export interface LabelQueueOptions {
  /** Passages of each list that are looked at. 5 in the specification. */
  readonly depth?: number
  /** A query is done with one positive and so many negatives. 3 in the specification. */
  readonly negatives?: number
}

/**
 * The labels to buy next (012, reconstructed): of each query that isn't done the passage of the lists' first places that tells most,
 * queries where the retrievers disagree most first, by turns between the types of questions. Call it again with the labels that came;
 * no more than `count` are asked for at once, and one for each query, since a positive may end it. O(queries × candidates).
 */
export function nextLabels(
  queries: readonly QueryToLabel[],
  count: number,
  { depth = 5, negatives = 3 }: LabelQueueOptions = {},
): readonly LabelRequest[] {
  const byType = new Map<string, { readonly request: LabelRequest; readonly worth: number }[]>()
  for (const { query, type = '', candidates, labels } of queries) {
    const found = [...labels.values()]
    const positive = found.includes(true)
    if (positive && found.filter((relevant) => !relevant).length >= negatives) continue
    const open = candidates
      .filter(({ passage, ranks }) => !labels.has(passage) && ranks.some((rank) => rank !== undefined && rank <= depth))
      .map((candidate) => ({ candidate, worth: worthOf(candidate, depth) }))
      .sort((a, b) => b.worth - a.worth)
    const first = open[0]
    if (!first) continue
    const list = byType.get(type) ?? []
    list.push({ request: { query, passage: first.candidate.passage }, worth: first.worth + (positive ? 0 : 1) })
    byType.set(type, list)
  }
  const lists = [...byType.values()].map((list) => list.sort((a, b) => b.worth - a.worth))
  const picked: LabelRequest[] = []
  for (let turn = 0; picked.length < count && lists.some((list) => turn < list.length); turn++)
    for (const list of lists) {
      const next = list[turn]
      if (next && picked.length < count) picked.push(next.request)
    }
  return picked
}

/**
 * How high the passage stands, how far the lists disagree on it, and how unsure the reranker is: each in [0, 1], alike in weight
 * (ours).
 */
function worthOf({ ranks, margin }: Candidate, depth: number): number {
  const places = ranks.map((rank) => 1 / Math.min(rank ?? Infinity, 4 * depth))
  const [top, bottom] = [Math.max(...places), Math.min(...places)]
  return (top + (top - bottom) + (margin === undefined ? 0 : 1 / (1 + Math.abs(margin)))) / 3
}
