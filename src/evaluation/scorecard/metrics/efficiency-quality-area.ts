import type { Metric } from '../metric.js'

/** Efficiency–quality area (131): mean success rate over budgets of generated tokens, an answer above the budget counting as failed. */
export const efficiencyQuality: Metric = {
  id: 'eqa',
  title: 'Efficiency–quality area',
  unit: '',
  formula: 'EQA = (1/M) Σ_m SR(B_m), budgets of generated tokens by --budgets',
  source: '131, MMBench-GUI',
  better: 'higher',
  needs: ['quality', 'generatedTokens'],
  width: 1,
  // The mean over budgets may be taken answer by answer: each counts with the share of budgets that it keeps to.
  terms: ({ quality = NaN, generatedTokens = NaN }, _arm, _row, { budgets }) =>
    budgets.length === 0 ? null : [(quality * budgets.filter((budget) => generatedTokens <= budget).length) / budgets.length],
  of: ([area = NaN]) => area,
}
