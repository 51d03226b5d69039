import type { CallOptions, Completion, Environment } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { edit, type Delta, type Request } from '../../protocol/index.js'
import type { Difficulty } from '../../understanding/index.js'
import { ask, asSample, saidAfter, Tally, textOf, whyPlain, withThinking, type ModelUse } from '../calls.js'
import { single } from '../single.js'
import type { Answer, Strategy } from '../strategy.js'
import { allocate, hardCap, levelBudgets, tokensOfWords, type Level, type Schedule } from './allocation.js'
import { globalPrompt, planPrompt, PLANNER_TOKENS, readPlan, solvePrompt, type Plan, type PlanVariant } from './plan.js'
import { answerWithin } from './within-budget.js'

export interface PlanAndBudgetOptions {
  /** Makes the plan: a cheap model. */
  readonly planner: ModelUse
  /** Gives the answer. */
  readonly solver: ModelUse
  /** How words decay over the parts; `linear` when absent. */
  readonly schedule?: Schedule | undefined
  /** What is planned and what is budgeted; `planned_weighted` when absent. */
  readonly variant?: PlanVariant | undefined
  /** Words for the whole answer by level; the paper's when absent. */
  readonly words?: Readonly<Record<Level, number>> | undefined
  /** Tells the solver its budget as a ceiling of thinking tokens too: for models that don't keep to budgets in words. */
  readonly limitThinking?: boolean | undefined
  /** How difficult a request is; easy ones need no plan. Absent: only the planner says. */
  readonly difficultyOf?: ((request: Request) => Difficulty | undefined) | undefined
}

/** Up to this level a plan costs more than it gives (037, our form). */
const EASY = 2

/** The least ceiling of thinking tokens that providers take. */
const LEAST_THINKING = 1024

/** Where nobody knows the level: the middle. */
const UNKNOWN_LEVEL: Level = 3

/**
 * Plan-and-Budget (037): one cheap call splits the question and weighs its parts, one call answers it with words allotted to each part. Easy
 * questions and bad plans get one budget for the whole. The answer streams. At most three calls: plan, answer, and once more where the
 * hard cap cut it. Solvers that are to think have the cap only with `limitThinking`, which leaves room for the thoughts. Requests that a plan would change (tools, prescribed formats …) get the solver's plain answer. Throws `InvalidRequest` for words that are no numbers.
 */
export function planAndBudget(options: PlanAndBudgetOptions): Strategy {
  const { planner, solver, schedule = 'linear', variant = 'planned_weighted', words = levelBudgets, limitThinking = false } = options
  const plans = variant !== 'global'
  const plain = single(solver.model)
  for (const [level, total] of Object.entries(words))
    if (!(total >= 1 && total <= 1e6))
      throw new InvalidRequest(`words.${level}: a number of words from 1 to 1000000, not ${total}.`, { path: `words.${level}` })

  /** The plan, where one is wanted and can be had; `null` else. The reason is noted. */
  async function planFor(
    request: Request,
    env: Environment,
    told: Level | undefined,
    tally: Tally,
    sample: CallOptions | undefined,
  ): Promise<Plan | null> {
    if (!plans) return null
    if (told !== undefined && told <= EASY) {
      tally.note('plan', planner.model, `left out at level ${told}`)
      return null
    }
    if (env.budget.regime() === 'last_call') {
      tally.note('plan', planner.model, 'left out: the budget has room for one call')
      return null
    }
    let completion: Completion
    try {
      completion = await ask(
        env,
        planner,
        request,
        { messages: saidAfter(request.messages, planPrompt), maxOutputTokens: PLANNER_TOKENS },
        sample,
      )
    } catch (thrown) {
      if (env.signal.aborted) throw thrown
      tally.note('plan', planner.model, 'failed; answered with one budget for the whole')
      return null
    }
    const plan = readPlan(textOf(completion))
    if (plan === null) tally.add('plan', completion, 'was no plan; answered with one budget for the whole')
    else tally.add('plan', completion, `level ${plan.level}, ${plan.steps.length} parts`)
    return plan
  }

  return {
    id: `plan_and_budget(${planner.model}, ${solver.model}, ${variant}, ${schedule})`,
    plan: [
      ...(plans ? [{ model: planner.model, expected: 1, most: 1, outputRatio: 0.3 }] : []),
      { model: solver.model, expected: 1, most: 2, outputRatio: 0.6 },
    ],
    async *run(request: Request, env: Environment, callOptions?: CallOptions): AsyncGenerator<Delta, Answer> {
      const tally = new Tally()
      const why = whyPlain(request)
      if (why !== undefined) {
        const answer = yield* plain.run(withThinking(request, solver), env, callOptions)
        tally.add('answer', answer.completion, `answered plainly: ${why}`)
        return tally.answer(answer.completion)
      }
      const told = options.difficultyOf?.(request)?.level
      const plan = await planFor(request, env, told, tally, asSample(callOptions))
      const level = plan?.level ?? told ?? UNKNOWN_LEVEL
      const total = Math.floor(words[level])
      const inParts = plan !== null && level > EASY ? plan : null
      const budgeted = variant === 'planned' && inParts !== null ? null : total
      const messages = saidAfter(request.messages, inParts === null ? globalPrompt(total) : planned(inParts, total, variant, schedule))
      const ceiling = limitThinking && budgeted !== null ? Math.max(LEAST_THINKING, tokensOfWords(budgeted)) : null
      const use = ceiling === null ? solver : { ...solver, reasoning: { ...request.reasoning, ...solver.reasoning, maxTokens: ceiling } }
      // Thinking counts against the limit of the output too: where nobody says how much there may be, a cap would cut answers that keep to the budget.
      const thinking = { ...request.reasoning, ...solver.reasoning }
      const thinks = thinking.effort === undefined ? thinking.maxTokens !== undefined : thinking.effort !== 'none'
      const cap = budgeted === null || (thinks && ceiling === null) ? null : hardCap(budgeted) + (ceiling ?? 0)
      const completion = yield* answerWithin(
        env,
        use,
        { plain: request, soft: edit(request, { messages }), cap },
        'answer',
        tally,
        asSample(callOptions),
      )
      return tally.answer(completion)
    },
  }
}

function planned(plan: Plan, total: number, variant: PlanVariant, schedule: Schedule): string {
  switch (variant) {
    case 'planned_weighted':
      return solvePrompt(
        plan,
        allocate(
          total,
          plan.steps.map(({ credits }) => credits),
          schedule,
        ),
        null,
      )
    case 'planned_uniform':
      return solvePrompt(
        plan,
        allocate(
          total,
          plan.steps.map(() => 1),
          'constant',
        ),
        null,
      )
    case 'planned_global':
      return solvePrompt(plan, null, total)
    case 'planned':
    case 'global':
      return solvePrompt(plan, null, null)
  }
}
