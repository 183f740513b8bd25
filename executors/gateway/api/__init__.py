"""Plain HTTP: routes, their models, and the API description."""
