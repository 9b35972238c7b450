package sim

func (w *World) flood(host string, times float64) {}
