"""What a neuron is: its parameters, its mechanisms, and one step of its voltage.

The equations stand here, once; the simulator and the likelihood call them. With u the voltage, w the states of the
mechanisms and x the current noise,

    U[k+1] = V[k] + dt ((V_rest - V[k]) / tau + (I[k] + x[k] + currents(w[k], V[k])) / C) + membrane_noise sqrt(dt) xi
    theta[k+1] = V_th + thresholds(w[k]);  a spike where U + threshold_noise zeta >= theta
    x[k+1] = exp(-dt / current_noise_tau) x[k] + ...,  an Ornstein-Uhlenbeck process of SD current_noise
    y[k] = V[k] + R_s I[k] + measurement_noise eta,  what is recorded

and w[k] has seen the voltages and spikes up to sample k.
"""
