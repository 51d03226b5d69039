import { valueOfInformation, type Arm, type Estimate, type Objective, type Situation } from '../../src/routing/index.js'
import { seededRandom } from '../../src/statistics/index.js'
import { single } from '../../src/strategies/index.js'
import type { Features } from '../../src/understanding/index.js'

/** The product's own rule on estimates: which arm a request gets at each of some values of λ. */
export function chooser(
  armIds: readonly string[],
  reference: string,
): (features: Features, familiarity: number, estimates: readonly Estimate[], lambda: number) => string {
  const arms = armIds.map(armOf)
  const [first, ...rest] = arms
  if (first === undefined) throw new Error('a routing problem has at least one arm')
  const policy = valueOfInformation()
  const random = seededRandom(1)
  const objective = (lambda: number): Objective => ({ lambda })
  return (features, familiarity, estimates, lambda) => {
    const situation: Situation = {
      arms: [first, ...rest],
      estimates,
      features,
      familiarity,
      reference,
      objective: objective(lambda),
      budget: {},
      load: { inFlight: () => 0 },
      random,
    }
    return policy.choose(situation).arm.id
  }
}

/** An arm that is only chosen, never run: its outcome stands in the data. */
function armOf(id: string): Arm {
  return { id, model: id, card: {}, strategy: single(id) }
}
