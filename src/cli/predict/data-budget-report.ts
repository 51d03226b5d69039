import { planAnnotation, planSynthetic, type LabelKind, type SyntheticPoint, type SyntheticStrategy } from '../../evaluation/index.js'
import { columns, dollars, short, type PredictionReport } from './prediction-report.js'

/** How to split a budget over kinds of labels. */
export function annotationReport(kinds: readonly LabelKind[], budget: number): PredictionReport {
  const plan = planAnnotation(kinds, budget)
  const guessed = plan.shares.filter(({ curve }) => !curve.measured).map(({ name }) => name)
  const measured = plan.shares.some(({ curve }) => curve.measured)
  const bought = plan.shares.filter(({ labels }) => labels > 0)
  return {
    figures: plan,
    document: {
      title: `Labels for ${dollars(budget)}`,
      sections: [
        {
          heading: 'Plan',
          blocks: [
            {
              kind: 'text',
              text:
                bought.length === 0
                  ? 'No label is worth buying with this budget.'
                  : `Buy ${bought.map(({ name, labels }) => `${short(labels)} ${name}`).join(', ')}: ${short(plan.gain)} points are forecast; equal parts for each kind would bring ${short(plan.evenGain)}.`,
            },
            {
              kind: 'table',
              columns: columns('kind', ['labels'], ['cost'], ['points'], 'learning curve'),
              rows: plan.shares.map(({ name, labels, usd, gain, curve }) => [
                name,
                short(labels),
                dollars(usd),
                short(gain),
                `${curve.measured ? 'measured' : 'assumed'}: ${short(curve.gain)}·ln(1 + n/${short(curve.scale)})`,
              ]),
            },
            {
              kind: 'text',
              text: `One more dollar would bring ${short(plan.nextPerDollar)} points. Kinds are taken as independent of one another.${guessed.length > 0 ? ` The curves of ${guessed.join(', ')} are assumptions of ours${measured ? ', in the unit of the measured scores' : ''}: measure the score with two numbers of labels at least and give them with --points.` : ''}`,
            },
          ],
        },
      ],
    },
  }
}

const strategyNames: Readonly<Record<SyntheticStrategy, string>> = {
  answer_augmentation: 'new answers to the seeds',
  question_rephrase: 'seeds in other words',
  new_question: 'new questions',
}

/** Which way to make training data with a teacher. */
export function syntheticReport(question: {
  readonly budget: number
  readonly seeds: number
  readonly usdPerQuery: number | Readonly<Record<SyntheticStrategy, number>>
  readonly points?: readonly SyntheticPoint[]
}): PredictionReport {
  const plan = planSynthetic(question)
  const best = plan.options[0]
  return {
    figures: plan,
    document: {
      title: `Synthetic data for ${dollars(question.budget)}`,
      subtitle: `${short(question.seeds)} seed examples`,
      sections: [
        {
          heading: 'Plan',
          blocks: [
            {
              kind: 'text',
              text: best
                ? `Make ${strategyNames[best.strategy]}: ${short(best.queries)} teacher queries, ${short(best.ratio)} for each seed.`
                : 'Nothing to choose.',
            },
            {
              kind: 'table',
              columns: columns('strategy', ['queries'], ['per seed'], ["seeds' worth"], ['score']),
              rows: plan.options.map(({ strategy, queries, ratio, effective, score }) => [
                strategyNames[strategy],
                short(queries),
                short(ratio),
                short(effective),
                score === null ? '–' : short(score),
              ]),
            },
            {
              kind: 'text',
              text: plan.measured
                ? 'Fitted to your points; where they are few, our assumptions about each strategy hold the fit.'
                : "How fast each strategy's queries repeat themselves is an assumption of ours (thresholds at 4 and 16 queries a seed). Train on two small sets at least and give the scores with --points.",
            },
          ],
        },
      ],
    },
  }
}
