/**
 * The script of the report, run by the reader's browser: draws one bar chart for each case when it comes into view.
 *
 * A bar is the median, the thin line on it reaches from the slowest to the fastest round. Written as plain JavaScript, since it is text
 * to this program.
 */
export const CHART_SCRIPT = `
(() => {
  const cases = new Map(JSON.parse(document.getElementById('chart-data').textContent).map((entry) => [entry.caseName, entry]));
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 4 });
  const whiskers = {
    id: 'whiskers',
    afterDatasetsDraw(chart) {
      const { ctx, scales } = chart;
      const bars = chart.options.plugins.whiskers.bars;
      ctx.save();
      ctx.strokeStyle = color('text');
      ctx.fillStyle = color('text');
      ctx.font = '12px system-ui, sans-serif';
      ctx.textBaseline = 'middle';
      chart.getDatasetMeta(0).data.forEach((element, index) => {
        const bar = bars[index];
        const from = scales.x.getPixelForValue(bar.minimum);
        const to = scales.x.getPixelForValue(bar.maximum);
        ctx.beginPath();
        ctx.moveTo(from, element.y);
        ctx.lineTo(to, element.y);
        for (const x of [from, to]) {
          ctx.moveTo(x, element.y - 4);
          ctx.lineTo(x, element.y + 4);
        }
        ctx.stroke();
        ctx.fillText(number.format(bar.median), Math.max(to, element.x) + 6, element.y);
      });
      ctx.restore();
    },
  };
  const draw = (canvas) => {
    const { bars, unit } = cases.get(canvas.dataset.case);
    new Chart(canvas, {
      type: 'bar',
      plugins: [whiskers],
      data: {
        labels: bars.map((bar) => bar.label),
        datasets: [{ data: bars.map((bar) => bar.median), backgroundColor: bars.map((bar) => color(bar.role)), maxBarThickness: 18 }],
      },
      options: {
        indexAxis: 'y',
        animation: false,
        maintainAspectRatio: false,
        layout: { padding: { right: 72 } },
        plugins: {
          legend: { display: false },
          whiskers: { bars },
          tooltip: { callbacks: { label: ({ dataIndex }) => {
            const bar = bars[dataIndex];
            return number.format(bar.median) + ' ' + unit + ' (' + number.format(bar.minimum) + ' to ' + number.format(bar.maximum) + ')';
          } } },
        },
        scales: {
          x: { beginAtZero: true, title: { display: true, text: unit, color: color('soft') }, ticks: { color: color('soft') }, grid: { color: color('line') } },
          y: { ticks: { color: color('text') }, grid: { display: false } },
        },
      },
    });
  };
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      observer.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: '400px' });
  for (const canvas of document.querySelectorAll('canvas[data-case]')) observer.observe(canvas);
})();
`;
