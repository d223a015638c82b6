"""Human evaluation: a study, the answers to it, and what becomes of them."""
