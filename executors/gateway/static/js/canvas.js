/** Helpers of the pictures that are drawn on a canvas. */

const CLICK_PX = 4;

/** @returns {{paint: CanvasRenderingContext2D, width: number, height: number}} a clear canvas, in CSS pixels */
export function prepared(canvas) {
  const [width, height, ratio] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const paint = canvas.getContext("2d");
  paint.scale(ratio, ratio);
  return { paint, width, height };
}

/** @returns {{event: string, chosen: string, text: string, edge: string}} colours of the light or the dark page */
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  return { event: colour("--b"), chosen: colour("--a"), text: colour("--quiet"), edge: colour("--edge") };
}

/** Call `start` where the pointer goes down; what it returns is called for moves, or for a click. */
export function drag(canvas, start) {
  canvas.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    const { move, click } = start(down);
    let moved = false;
    canvas.setPointerCapture(down.pointerId);
    const onMove = (event) => {
      moved ||= Math.abs(event.clientX - down.clientX) >= CLICK_PX;
      if (moved) move(event);
    };
    const onEnd = (event) => {
      canvas.removeEventListener("pointermove", onMove);
      for (const name of ["pointerup", "pointercancel"]) canvas.removeEventListener(name, onEnd);
      if (!moved && event.type === "pointerup") click(event);
    };
    canvas.addEventListener("pointermove", onMove);
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, onEnd);
  });
}

/** Draws at most once a frame, and again where the size or the colours of the page change. */
export class Redraw {
  /**
   * @param {HTMLElement} element whose size matters
   * @param {Function} paint
   */
  constructor(element, paint) {
    this.paint = paint;
    this.soon = () => this.ask();
    this.observer = new ResizeObserver(this.soon);
    this.observer.observe(element);
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.soon);
  }

  ask() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.paint();
    });
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.dark.removeEventListener("change", this.soon);
  }
}
