import { InvalidRequest } from '../../errors/index.js'
import {
  learnConfigurations,
  recommendConfiguration,
  type ConfigurationFeatures,
  type MeasuredConfiguration,
} from '../../evaluation/index.js'
import { columns, short, type PredictionReport } from './prediction-report.js'

/**
 * Which configuration gives much quality for few joules, of those that nobody ran. Throws `InvalidRequest` where no candidate has a
 * measured feature.
 */
export function configurationReport(
  measured: readonly MeasuredConfiguration[],
  candidates: readonly { readonly name: string; readonly quality: number | undefined; readonly features: ConfigurationFeatures }[],
  weight: number,
  leastQuality: number | undefined,
): PredictionReport {
  const known = [...new Set(measured.flatMap(({ features }) => Object.keys(features)))].sort()
  const lacking = candidates
    .map(({ name, features }) => ({ name, fields: known.filter((field) => features[field] === undefined) }))
    .filter(({ fields }) => fields.length > 0)
  // Without any of them all candidates would be forecast alike, at the average of what was measured.
  if (candidates.every(({ features }) => known.every((field) => features[field] === undefined)))
    throw new InvalidRequest(
      `No candidate has a feature of the measured configurations (${known.length > 0 ? known.join(', ') : 'they have none'}): give both files the same columns.`,
      { path: 'candidates' },
    )
  const average = lacking.slice(0, 5).map(({ name, fields }) => `${name} (${fields.join(', ')})`)
  const forecasts = candidates.map(learnConfigurations(measured))
  const { front, chosen } = recommendConfiguration(forecasts, { quality: weight }, leastQuality)
  const onFront = new Set(front.map(({ name }) => name))
  const sorted = [...forecasts].sort((a, b) => a.joules - b.joules)
  return {
    figures: { chosen, front, forecasts: sorted },
    document: {
      title: 'Which configuration to run',
      subtitle: `${candidates.length} candidates, learned from ${measured.length} measured ones`,
      sections: [
        {
          heading: 'Forecast',
          blocks: [
            {
              kind: 'text',
              text: `Run ${chosen.name}: quality ${short(chosen.quality)} at ${short(chosen.joules)} J is forecast. ${front.length} of ${candidates.length} candidates are beaten by no other in both.`,
            },
            {
              kind: 'table',
              columns: columns('candidate', ['quality'], ['joules'], 'front'),
              rows: sorted
                .slice(0, 60)
                .map(({ name, quality, joules }) => [name, short(quality), short(joules), onFront.has(name) ? 'yes' : '']),
            },
            ...(average.length > 0
              ? [
                  {
                    kind: 'text' as const,
                    text: `Features that are missing count as average: ${average.join('; ')}${lacking.length > average.length ? ` and ${lacking.length - average.length} more candidates` : ''}.`,
                  },
                ]
              : []),
            {
              kind: 'plot',
              shape: 'scatter',
              caption: 'Candidates by forecast joules and quality.',
              x: { title: 'joules', unit: 'J', scale: 'log' },
              y: { title: 'quality' },
              series: [
                { name: 'front', points: front.map(({ name, quality, joules }) => ({ x: joules, y: quality, label: name })) },
                {
                  name: 'beaten',
                  points: sorted
                    .filter(({ name }) => !onFront.has(name))
                    .map(({ name, quality, joules }) => ({ x: joules, y: quality, label: name })),
                },
              ].filter(({ points }) => points.length > 0),
            },
          ],
        },
      ],
    },
  }
}
